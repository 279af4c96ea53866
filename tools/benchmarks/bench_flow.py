"""Measure speed, exactness and size of every optical flow choice.

Prints markdown tables (docs/flow.md holds one run):
  1. methods: frames per second of one core (processor time, so that other
     load on the machine counts less) on a real video, and the end-point
     error on textured pictures moved by known amounts;
  2. storage: bytes per flow and what 8 bits and compression add to the
     error, for flows of the same video.
"""

import platform
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from lgd_tools.cli import make_parser, positive_int, require_file, run_main
from lgd_tools.video import VideoFile
from lgd_tools.videos.flow_coding import BOUND, dequantise, quantise
from lgd_tools.videos.flow_methods import METHODS, make_method
from lgd_tools.videos.flow_store import (
    JPG_NAME,
    JpgWriter,
    PackedWriter,
    stored_bytes,
)

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


def read(path: Path, short_side: int, count: int) -> list[np.ndarray]:
    with VideoFile(path) as video:
        frames = video.frames('gray', short_side)
        return [
            np.ascontiguousarray(frame.to_ndarray())
            for frame in islice(frames, count)
        ]


def table_methods(path: Path, sides: list[int], flows: int) -> Iterator[str]:
    head = [f'({x:g}, {y:g})' for x, y in MOTIONS]
    yield (
        '| method | size | frames/s per core | median error in pixels at '
        f'motion {" | at ".join(head)} |'
    )
    yield '|---' * (3 + len(MOTIONS)) + '|'
    for side in sides:
        frames = read(path, side, flows + 1)
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


def read_jpgs(folder: Path) -> np.ndarray:
    """(T, H, W, 2) uint8 of a folder that JpgWriter wrote."""
    axes = [
        [
            cv2.imread(str(folder / JPG_NAME.format(axis, i)), 0)
            for i in range(1, len(list(folder.iterdir())) // 2 + 1)
        ]
        for axis in 'xy'
    ]
    return np.stack(axes, axis=-1)


def read_packed(path: Path) -> np.ndarray:
    """(T, H, W, 2) uint8 of a video that PackedWriter wrote."""
    with VideoFile(path) as video:
        luma = np.stack(
            [frame.to_ndarray()[: frame.height] for frame in video.decode()]
        )
    return np.stack(np.split(luma, 2, axis=1), axis=-1)


def table_storage(path: Path, sides: list[int], flows: int) -> Iterator[str]:
    yield (
        '| size | stored as | bytes/flow | on disk/flow | added error, mean '
        '(pixels) | 99 % below | reading, ms/flow |'
    )
    yield '|---' * 7 + '|'
    for side in sides:
        frames = read(path, side, flows + 1)
        height, width = frames[0].shape
        method = make_method('dis', height, width)
        pairs = zip(frames, frames[1:], strict=False)
        flow = np.stack([method(*pair) for pair in pairs])
        stored, true = quantise(flow), np.clip(flow, -BOUND, BOUND)
        count = len(stored)

        rows = [('8 bits, not compressed', stored, [stored.size] * 2, 0.0)]
        with tempfile.TemporaryDirectory() as folder:
            kinds = [('jpg, quality', JpgWriter, n) for n in (75, 85, 90, 95)]
            kinds += [('video, crf', PackedWriter, n) for n in (8, 12, 16, 20)]
            for name, kind, n in kinds:
                target, packed = Path(folder, f'{n}'), kind is PackedWriter
                more = (Fraction(25),) if packed else ()
                with kind(target, n, *more) as writer:
                    for q in stored:
                        writer.add(q)
                files = [target] if packed else list(target.iterdir())
                blocks = sum(file.stat().st_blocks * 512 for file in files)
                start = time.process_time()
                decoded = (read_packed if packed else read_jpgs)(target)
                spent = time.process_time() - start
                sizes = [stored_bytes(target), blocks]
                rows.append((f'{name} {n}', decoded, sizes, spent))
        for name, decoded, (size, blocks), spent in rows:
            error = np.abs(dequantise(decoded) - true)
            count = len(decoded)
            yield (
                f'| {width}x{height} | {name} | {size / count:.0f} | '
                f'{blocks / count:.0f} | {error.mean():.4f} | '
                f'{np.percentile(error, 99):.3f} | {spent / count * 1e3:.2f} |'
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
    add('--flows', type=positive_int, default=100, help='to compute and store')
    args = parser.parse_args(argv)
    require_file(args.video, 'video')
    print(
        f'{args.video.name}, {platform.machine()}, OpenCV {cv2.__version__}, '
        f'PyAV {av.__version__}'
    )
    for table in (table_methods, table_storage):
        print()
        for line in table(args.video, args.sides, args.flows):
            print(line, flush=True)
    return 0


if __name__ == '__main__':
    run_main(main)
