"""Soak test of reading: hostile files between good ones, for a while."""

import os
import time
from pathlib import Path

import numpy as np

REPO = Path(__file__).resolve().parents[2]
LIMIT = 20.0


def soak_reading(seconds: float, work_dir: Path, seed: int = 0) -> dict:
    """Read a corpus of hostile files again and again.

    Each round makes the corpus anew with other flipped bits. A fault is
    survived when its file gives the right frames or a BrokenVideoError
    within the time limit and a good file read afterwards still gives the
    same frames; else it is lost.

    Args:
        seconds: How long; one round at least.
        work_dir: For the files; made.
        seed: Of the flipped bits.

    Returns:
        ``faults``, ``survived``, ``lost`` (counts), ``lost_files`` (names),
        ``rounds``, ``refused`` (faults that were an error), ``crashes``
        (children that had to be replaced), ``slowest`` (seconds).
    """
    from lgd_mmaction.datasets.watched_decoder import WatchedDecoder
    from tests.datasets import hostile_corpus

    shared = os.environ.get('LGD_SHARED_DATA', REPO.parent / 'shared' / 'data')
    real = Path(shared) / 'smoke'
    real = real if real.is_dir() else None
    good = hostile_corpus.base_clips(Path(work_dir) / 'good')['mp4']
    decoder = WatchedDecoder(time_limit=LIMIT, memory_limit=1024)
    expected = decoder.frames(good, range(8))
    result = dict(faults=0, survived=0, lost=0, lost_files=[], refused=0)
    result.update(rounds=0, slowest=0.0)
    end = time.monotonic() + seconds
    while not result['rounds'] or time.monotonic() < end:
        corpus = Path(work_dir) / f'corpus_{result["rounds"]}'
        cases = hostile_corpus.build(corpus, real, seed + result['rounds'])
        for case in cases:
            start = time.monotonic()
            outcome = _read(decoder, case)
            taken = time.monotonic() - start
            intact = np.array_equal(decoder.frames(good, range(8)), expected)
            result['faults'] += 1
            result['refused'] += outcome == 'refused'
            result['slowest'] = round(max(result['slowest'], taken), 2)
            if outcome != 'wrong' and intact and taken < 2 * LIMIT + 5:
                result['survived'] += 1
            else:
                result['lost'] += 1
                result['lost_files'].append(case.name)
            if result['rounds'] and time.monotonic() > end:
                break
        _remove(corpus)
        result['rounds'] += 1
    result['crashes'] = decoder.starts - 1
    decoder.close()
    return result


def _read(decoder, case) -> str:
    """'frames', 'refused', or 'wrong': not what the case may give."""
    from lgd_mmaction.datasets.bad_videos import BrokenVideoError

    try:
        total, _ = decoder.info(case.path)
        clip = decoder.frames(case.path, range(min(total, 32)))
    except BrokenVideoError:
        return 'wrong' if case.expect == 'good' else 'refused'
    if case.expect == 'bad':
        return 'wrong'
    if case.whole is not None:
        whole = decoder.frames(case.whole, range(len(clip)))
        if not np.array_equal(clip[:-1], whole[: len(clip) - 1]):
            return 'wrong'
    return 'frames'


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)
