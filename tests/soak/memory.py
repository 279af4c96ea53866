"""Soak test of memory: many clips, and large annotation files."""

import gc
import os
import time
from pathlib import Path

import numpy as np

REPO = Path(__file__).resolve().parents[2]
MIB = 2**20


def soak_memory(
    reads: int = 20000,
    work_dir: Path = Path('work_dirs/soak'),
    seed: int = 0,
    videos: int = 500_000,
    workers: int = 8,
) -> dict:
    """Resident memory over many clips, and of a large annotation in workers.

    Args:
        reads: Clips of 16 frames that one process reads.
        work_dir: For the files; made.
        seed: Which clip starts where.
        videos: Lines of the annotation file.
        workers: Data workers that read all of it.

    Returns:
        The figures of `clip_memory` under ``clips`` and of
        `annotation_memory` under ``annotation``; ``faults``, ``survived``
        and ``lost`` count the two promises: no slope over 1 MiB in 1000
        reads, and no worker that holds a tenth of the annotation.
    """
    clips = clip_memory(reads, work_dir, seed)
    annotation = annotation_memory(videos, workers, work_dir)
    kept = [
        clips['slope'] < 1,
        annotation['worker_growth'] < 0.1 * annotation['annotation'] + 8,
    ]
    return dict(
        clips=clips,
        annotation=annotation,
        faults=len(kept),
        survived=sum(kept),
        lost=len(kept) - sum(kept),
    )


def resident(pid: int) -> float:
    """Resident memory of a process, MiB."""
    pages = int(Path(f'/proc/{pid}/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / MIB


def private(pid: int | str = 'self') -> float:
    """Memory that a process shares with no other, MiB."""
    lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()
    sizes = {line.split(':')[0]: line.split()[1] for line in lines[1:]}
    kib = int(sizes['Private_Clean']) + int(sizes['Private_Dirty'])
    return kib / 1024


def clip_memory(reads: int, work_dir: Path, seed: int = 0) -> dict:
    """Read clips as a data worker does; the slope of resident memory.

    Returns:
        ``reads``, ``seconds``, ``slope`` (MiB in 1000 reads, by least
        squares, without the first tenth) and ``mib`` (at the end).
    """
    from tqdm import tqdm

    from lgd_mmaction.video import Video
    from tests.datasets import hostile_corpus

    clips = list(hostile_corpus.base_clips(Path(work_dir) / 'clips').values())
    shared = os.environ.get('LGD_SHARED_DATA', REPO.parent / 'shared' / 'data')
    real = Path(shared) / 'smoke'
    if real.is_dir():
        clips.append(real / 'part_0.mp4')
        clips.append(real / 'v_BaseballPitch_g01_c01.avi')
    rng = np.random.default_rng(seed)
    rows, start = [], time.monotonic()
    for i in tqdm(range(reads), desc='clips', disable=None):
        with Video(clips[i % len(clips)]) as video:
            total = video.num_frames
            first = int(rng.integers(max(1, total - 15)))
            video.frames(range(first, min(total, first + 16)))
        if i % max(1, reads // 200) == 0:
            rows.append((i, resident(os.getpid())))
    at, mib = np.array(rows[len(rows) // 10 :]).T
    return dict(
        reads=reads,
        seconds=round(time.monotonic() - start, 1),
        slope=round(float(np.polyfit(at, mib, 1)[0] * 1000), 3),
        mib=round(float(mib[-1]), 1),
    )


class _Probe:
    """Reads all annotations in a worker and tells what memory that took."""

    def __init__(self, dataset, workers: int) -> None:
        self.dataset = dataset
        self.workers = workers

    def __len__(self) -> int:
        return self.workers

    def __getitem__(self, index: int) -> float:
        gc.collect()
        before = private()
        for i in range(index, len(self.dataset), 1):
            self.dataset.get_data_info(i)
        return private() - before


def annotation_memory(videos: int, workers: int, work_dir: Path) -> dict:
    """Private memory of workers that read a whole annotation.

    Returns:
        ``videos``, ``workers``, ``annotation`` (MiB, in the main process),
        ``worker_growth`` (MiB of private memory, of the worker that took
        most).
    """
    from mmengine.registry import init_default_scope
    from torch.utils.data import DataLoader

    from lgd_mmaction.datasets import RobustVideoDataset

    init_default_scope('mmaction')
    path = Path(work_dir) / f'{videos}.txt'
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w') as file:
        for i in range(videos):
            file.write(f'class_{i % 400}/video_{i:09d}_000012.mp4 {i % 400}\n')
    dataset = RobustVideoDataset(str(path), [], dict(video='data/videos'))
    path.unlink()
    loader = DataLoader(
        _Probe(dataset, workers), batch_size=None, num_workers=workers
    )
    growth = list(loader)
    size = dataset.data_bytes.nbytes + dataset.data_address.nbytes
    return dict(
        videos=videos,
        workers=workers,
        annotation=round(size / MIB, 1),
        worker_growth=round(max(growth), 1),
    )
