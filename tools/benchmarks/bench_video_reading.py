"""Clips a second and seconds a clip: ours, stock decord, decord by path.

Every pipeline opens a video, samples, decodes and scales to a short side of
120, as LGD-3D's does. They read the same videos in turn, in rounds: as they
are, and re-encoded to a short side of 120 (or others) with a key frame every
16, 4 and 1 frames. Ours keeps its indices in a folder, as the data sets do.
A ratio is stock's time over ours (above 1: ours is faster), median and range
over the rounds.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from lgd_tools.cli import (
    make_parser,
    markdown_table,
    positive_int,
    require_file,
    run_main,
)

EXAMPLE = """\
  python tools/benchmarks/bench_video_reading.py clips/*.mp4
  python tools/benchmarks/bench_video_reading.py clips/*.avi --workers 0"""
# clips, frames of each, and how often in one round (twice a video at least)
READS = {'1 x 16': (1, 16, 48), '3 x 1': (3, 1, 96), '15 x 16': (15, 16, 12)}
SIDE = 120
KEY_FRAMES = (16, 4, 1)


def make_readers(
    videos: Sequence[Path], clips: int, frames: int, cache: Path
) -> dict[str, Callable[[int], int]]:
    """Functions by name: read the i-th of the videos, return its frames."""
    from mmengine.dataset import Compose

    def reader(opening: dict, *decoding: dict) -> Callable[[int], int]:
        read = Compose([opening, sample, *decoding])
        video = dict(start_index=0, modality='RGB', index_cache=cache)
        names = [str(path) for path in videos]
        # only a number is sent: the transfer is the same for everybody
        return lambda i: len(
            read(dict(filename=names[i % len(names)], **video))['imgs']
        )

    sample = dict(
        type='SampleFrames', clip_len=frames, num_clips=clips, test_mode=True
    )
    scaled = dict(type='VideoDecode', scale=(-1, SIDE))
    resize = dict(type='Resize', scale=(-1, SIDE))
    by_path = dict(type='VideoOpen', engine='decord')
    stock = dict(type='DecordInit'), dict(type='DecordDecode')
    return {
        'ours': reader(dict(type='VideoOpen'), scaled),
        'stock': reader(*stock, resize),
        'decord by path': reader(by_path, dict(type='VideoDecode'), resize),
    }


def seconds_a_read(read: Callable, number: int, workers: int) -> float:
    """Through a DataLoader, after its workers have started."""
    from torch.utils.data import DataLoader

    loader = DataLoader(
        range(number), batch_size=None, num_workers=workers, collate_fn=read
    )
    numbers = iter(loader)
    next(numbers)
    start = time.perf_counter()
    rest = sum(1 for _ in numbers)
    return (time.perf_counter() - start) / rest


def resized(
    videos: Sequence[Path], folder: Path, side: int, key_frames: int
) -> list:
    """The videos re-encoded by tools/data/resize_videos.py."""
    source, out = folder / 'source', folder / f'{side}every{key_frames}'
    if not source.exists():
        source.mkdir()
        for i, video in enumerate(videos):  # names may be alike
            shutil.copy(video, source / f'{i}{video.suffix}')
    tool = Path(__file__).resolve().parents[1] / 'data' / 'resize_videos.py'
    options = ['--short-side', str(side), '--key-frames', str(key_frames)]
    command = [sys.executable, tool, source, out, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return sorted(p for p in out.rglob('*') if p.suffix in ('.mp4', '.mkv'))


def report(
    title: str, videos: Sequence[Path], args: argparse.Namespace, folder: Path
) -> None:
    """Print the table of one set of videos."""
    size = sum(video.stat().st_size for video in videos)
    print(f'\n{title}: {len(videos)} videos, {size / 1024:.0f} KiB\n')
    rows = []
    for name, (clips, frames, least) in READS.items():
        readers = make_readers(videos, clips, frames, folder / 'index')
        number = max(least, 2 * len(videos)) + 1
        times: dict[str, list[float]] = {reader: [] for reader in readers}
        for _ in range(args.rounds):
            for reader, read in readers.items():
                seconds = seconds_a_read(read, number, args.workers)
                times[reader].append(seconds)
        for reader, spent in times.items():
            ratios = [
                stock / own
                for stock, own in zip(times['stock'], spent, strict=True)
            ]
            speed = f'{clips / statistics.median(spent):.1f}'
            ratio = f'{statistics.median(ratios):.2f}'
            extent = f'({min(ratios):.2f}-{max(ratios):.2f})'
            rows.append([name, reader, speed, f'{ratio} {extent}'])
    head = ['read', 'reader', 'clips/s', 'stock / reader, median (range)']
    print(markdown_table(head, rows), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('videos', type=Path, nargs='+', help='video files')
    add('--rounds', type=positive_int, default=5, help='of all readers (5)')
    add('--workers', type=int, default=2,
        help='data workers; 0: the latency of a read (2)')
    add('--short-sides', type=positive_int, nargs='*', default=(SIDE,),
        help=f'of the re-encoded videos ({SIDE})')
    add('--key-frames', type=positive_int, nargs='*', default=KEY_FRAMES,
        help='distances for the re-encoded videos (16 4 1)')
    # fmt: on
    args = parser.parse_args(argv)
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    import lgd_mmaction  # noqa: F401  (registers the transforms)

    init_default_scope('mmaction')
    # stock's opening calls its own file client deprecated, once a worker
    MMLogger.get_current_instance().setLevel('ERROR')
    for path in args.videos:
        require_file(path, 'video')
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report('As they are', args.videos, args, folder)
        for side, distance in product(args.short_sides, args.key_frames):
            videos = resized(args.videos, folder, side, distance)
            title = f'Short side {side}, key frame every {distance}'
            report(title, videos, args, folder)
    return 0


if __name__ == '__main__':
    run_main(main)
