"""Speed and exactness of the optical flow methods, as a markdown table.

Frames per second of one core (processor time, so that other load on the
machine counts less) on a real video, and the end-point error on textured
pictures moved by known amounts. docs/flow.md holds one run.
"""

import platform
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from lgd_tools.cli import make_parser, positive_int, require_file, run_main
from lgd_tools.video import VideoFile
from lgd_tools.videos.flow_methods import METHODS, make_method

MOTIONS = ((1.5, -0.5), (5, 3), (12, -7), (-18, 4))


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random grey picture with detail at every scale, float32, 0..255."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for cell in (2, 4, 8, 16, 32):
        shape = (height // cell + 3, width // cell + 3)
        noise = rng.standard_normal(shape).astype(np.float32)
        big = cv2.resize(
            noise, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC
        )
        total += big[:height, :width] * (0.5 if cell == 2 else 1.0)
    low, high = float(total.min()), float(total.max())
    return (total - low) * (255 / (high - low))


def moved_pair(
    height: int, width: int, dx: float, dy: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Two uint8 pictures; everything moves by (dx, dy) pixels."""
    rim = 32
    big = texture(height + 2 * rim, width + 2 * rim, seed)
    inside = (slice(rim, rim + height), slice(rim, rim + width))
    shift = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    moved = cv2.warpAffine(big, shift, big.shape[::-1], flags=cv2.INTER_CUBIC)
    return tuple(
        np.clip(np.rint(picture[inside]), 0, 255).astype(np.uint8)
        for picture in (big, moved)
    )


def rows(path: Path, sides: list[int], flows: int) -> Iterator[str]:
    head = [f'({x:g}, {y:g})' for x, y in MOTIONS]
    yield (
        '| method | size | frames/s per core | median error in pixels at '
        f'motion {" | at ".join(head)} |'
    )
    yield '|---' * (3 + len(MOTIONS)) + '|'
    for side in sides:
        with VideoFile(path) as video:
            gray = islice(video.frames('gray', side), flows + 1)
            frames = [np.ascontiguousarray(f.to_ndarray()) for f in gray]
        height, width = frames[0].shape
        choices = {n: make_method(n, height, width) for n in METHODS}
        stock = cv2.optflow.DualTVL1OpticalFlow_create()
        choices['tvl1 as OpenCV ships it'] = partial(stock.calc, flow=None)
        for name, method in choices.items():
            cv2.setNumThreads(1)
            start, number, spent = time.process_time(), 0, 0.0
            # fast methods are repeated, slow ones cut short
            while spent < 20 and (number < flows or spent < 0.5):
                i = number % flows
                method(frames[i], frames[i + 1])
                number, spent = number + 1, time.process_time() - start
            errors = []
            for motion in MOTIONS:
                flow = method(*moved_pair(height, width, *motion))
                distance = np.hypot(*np.moveaxis(flow - motion, 2, 0))
                errors.append(f'{np.median(distance):.3f}')
            yield (
                f'| {name} | {width}x{height} | {number / spent:.3g} | '
                f'{" | ".join(errors)} |'
            )


def main(argv: list[str] | None = None) -> int:
    parser = make_parser(
        __doc__,
        '  python tools/benchmarks/bench_flow.py demo.mp4 --sides 120 240 '
        '--flows 100',
    )
    add = parser.add_argument
    add('video', type=Path, help='a real video')
    add('--sides', type=positive_int, nargs='+', default=[120, 240])
    add('--flows', type=positive_int, default=100, help='to compute')
    args = parser.parse_args(argv)
    require_file(args.video, 'video')
    print(
        f'{args.video.name}, {platform.machine()}, OpenCV {cv2.__version__}, '
        f'PyAV {av.__version__}\n'
    )
    for line in rows(args.video, args.sides, args.flows):
        print(line, flush=True)
    return 0


if __name__ == '__main__':
    run_main(main)
