"""What reading videos in a watched process costs, beside stock decord.

Reads the same clips through DecordInit/DecordDecode and through
WatchedVideoInit/WatchedVideoDecode, in turn, and prints for each video the
median seconds of both and their ratio, as a markdown table. The frames are
compared as well: any difference is an error.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from lgd_tools.cli import (
    ToolError,
    make_parser,
    positive_int,
    require_file,
    run_main,
)

EXAMPLE = '  python tools/benchmarks/bench_video_reading.py clips/*.mp4'
# name: clips, frames of each, what reads so
READS = {
    '3 snippets': (3, 1),
    '1 x 16': (1, 16),
    '15 x 16': (15, 16),
}


def pipeline(init: str, decode: str, clips: int, frames: int):
    """Open, sample, decode; a callable from a path to the frames."""
    from mmengine.dataset import Compose

    steps = Compose(
        [
            dict(type=init),
            dict(
                type='SampleFrames',
                clip_len=frames,
                num_clips=clips,
                test_mode=True,
            ),
            dict(type=decode),
        ]
    )

    def read(path: Path) -> np.ndarray:
        info = dict(filename=str(path), start_index=0, modality='RGB')
        return np.stack(steps(info)['imgs'])

    return read


def compare(path: Path, clips: int, frames: int, repeats: int) -> list[float]:
    """[median seconds of stock, of watched], read in turn."""
    readers = [
        pipeline('DecordInit', 'DecordDecode', clips, frames),
        pipeline('WatchedVideoInit', 'WatchedVideoDecode', clips, frames),
    ]
    # the first read starts the child and fills the cache of the disk
    stock, watched = (read(path) for read in readers)
    if not np.array_equal(stock, watched):
        raise ToolError(f'{path}: the frames of the two readers differ')
    seconds: list[list[float]] = [[], []]
    for _ in range(repeats):
        for read, spent in zip(readers, seconds, strict=True):
            start = time.perf_counter()
            read(path)
            spent.append(time.perf_counter() - start)
    return [statistics.median(spent) for spent in seconds]


def main(args: argparse.Namespace) -> int:
    from mmengine.registry import init_default_scope

    import lgd_mmaction  # noqa: F401

    init_default_scope('mmaction')
    print('| video | clips | stock, ms | watched, ms | ratio |')
    print('|---|---|---|---|---|')
    for path in args.videos:
        require_file(path, 'video')
        for name, (clips, frames) in READS.items():
            stock, watched = compare(path, clips, frames, args.repeats)
            print(
                f'| {path.name} | {name} | {1000 * stock:.1f} | '
                f'{1000 * watched:.1f} | {watched / stock:.2f} |',
                flush=True,
            )
    return 0


def parse_args() -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument('videos', type=Path, nargs='+', help='video files')
    parser.add_argument(
        '--repeats',
        type=positive_int,
        default=10,
        help='reads of each kind (10)',
    )
    return parser.parse_args()


if __name__ == '__main__':
    run_main(lambda: main(parse_args()))
