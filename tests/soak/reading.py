"""Soak test of reading: hostile files between good ones, for a while."""

import os
import shutil
import time
from pathlib import Path

import numpy as np

REPO = Path(__file__).resolve().parents[2]
LIMIT = 20.0


def soak_reading(seconds: float, work_dir: Path, seed: int = 0) -> dict:
    """Read a corpus of hostile files again and again, in this process.

    Each round makes the corpus anew with other flipped bits. A fault is
    survived when its file gives the right frames or a BrokenVideoError
    within the time limit and a good file read afterwards still gives the
    same frames; else it is lost. A crash ends the round, and so the soak.

    Args:
        seconds: How long; one round at least.
        work_dir: For the files; made.
        seed: Of the flipped bits.

    Returns:
        ``faults``, ``survived``, ``lost`` (counts), ``lost_files`` (names),
        ``rounds``, ``refused`` (faults that were an error), ``slowest``
        (seconds).
    """
    from tests.datasets import hostile_corpus

    shared = os.environ.get('LGD_SHARED_DATA', REPO.parent / 'shared' / 'data')
    real = Path(shared) / 'smoke'
    real = real if real.is_dir() else None
    good = hostile_corpus.base_clips(Path(work_dir) / 'good')['mp4']
    expected = read(good, 8)
    result = dict(faults=0, survived=0, lost=0, lost_files=[], refused=0)
    result.update(rounds=0, slowest=0.0)
    end = time.monotonic() + seconds
    while not result['rounds'] or time.monotonic() < end:
        corpus = Path(work_dir) / f'corpus_{result["rounds"]}'
        cases = hostile_corpus.build(corpus, real, seed + result['rounds'])
        for case in cases:
            start = time.monotonic()
            outcome = outcome_of(case)
            taken = time.monotonic() - start
            intact = np.array_equal(read(good, 8), expected)
            result['faults'] += 1
            result['refused'] += outcome == 'refused'
            result['slowest'] = round(max(result['slowest'], taken), 2)
            if outcome != 'wrong' and intact and taken < LIMIT:
                result['survived'] += 1
            else:
                result['lost'] += 1
                result['lost_files'].append(case.name)
            if result['rounds'] and time.monotonic() > end:
                break
        shutil.rmtree(corpus)
        result['rounds'] += 1
    return result


def read(path: Path, count: int) -> np.ndarray:
    """The first frames, as many as there are."""
    from lgd_mmaction.video import Video

    with Video(path) as video:
        return video.frames(range(min(video.num_frames, count)))


def outcome_of(case) -> str:
    """'frames', 'refused', or 'wrong': not what the case may give."""
    from lgd_mmaction.video import BrokenVideoError

    try:
        clip = read(case.path, 32)
    except BrokenVideoError:
        return 'wrong' if case.expect == 'good' else 'refused'
    if case.expect == 'bad':
        return 'wrong'
    # B-frames that the cut took are no frames of what is left of an mkv
    if case.whole is not None and case.path.suffix != '.mkv':
        whole = read(case.whole, len(clip))
        if not np.array_equal(clip[:-1], whole[: len(clip) - 1]):
            return 'wrong'
    return 'frames'
