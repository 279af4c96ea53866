"""Measure speed, exactness and size of every optical flow choice.

Prints markdown tables (docs/flow.md holds one run):
  1. methods: frames per second of one core (processor time, so that other
     load on the machine counts less) on a real video, and the end-point
     error on textured pictures moved by known amounts;
  2. storage: bytes per flow and what 8 bits and compression add to the
     error, for flows of the same video.
"""

import argparse
import platform
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from lgd_tools.cli import positive_int, require_file, run_main
from lgd_tools.video import VideoFile
from lgd_tools.videos.flow_coding import BOUND, dequantise, quantise
from lgd_tools.videos.flow_methods import (
    METHODS,
    make_method,
)
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


def end_point_error(flow: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """(H, W) distance in pixels from the true motion."""
    return np.hypot(flow[..., 0] - dx, flow[..., 1] - dy)


def library_tvl1(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """TV-L1 exactly as OpenCV ships it, for comparison."""
    method = cv2.optflow.DualTVL1OpticalFlow_create()
    return method.calc(first, second, None)


def read(path: Path, short_side: int, count: int) -> list[np.ndarray]:
    frames = []
    with VideoFile(path) as video:
        for frame in video.frames('gray', short_side):
            frames.append(np.ascontiguousarray(frame.to_ndarray()))
            if len(frames) == count:
                break
    return frames


def table_methods(path: Path, sides: list[int], flows: int) -> list[str]:
    head = [f'({x:g}, {y:g})' for x, y in MOTIONS]
    rows = [
        '| method | size | frames/s per core | median error in pixels at '
        f'motion {" | at ".join(head)} |',
        '|---|---|---|' + '---|' * len(MOTIONS),
    ]
    for side in sides:
        frames = read(path, side, flows + 1)
        height, width = frames[0].shape
        choices = {n: make_method(n, height, width) for n in METHODS}
        choices['tvl1 as OpenCV ships it'] = library_tvl1
        for name, method in choices.items():
            cv2.setNumThreads(1)
            start, number = time.process_time(), 0
            # fast methods are repeated, slow ones cut short
            while number < flows or time.process_time() - start < 0.5:
                i = number % flows
                method(frames[i], frames[i + 1])
                number += 1
                if time.process_time() - start > 20:
                    break
            speed = number / (time.process_time() - start)
            errors = []
            for dx, dy in MOTIONS:
                flow = method(*moved_pair(height, width, dx, dy))
                error = np.median(end_point_error(flow, dx, dy))
                errors.append(f'{error:.3f}')
            rows.append(
                f'| {name} | {width}x{height} | {speed:.3g} | '
                f'{" | ".join(errors)} |'
            )
            print(rows[-1], file=sys.stderr)
    return rows


def _jpg(folder: Path, stored: np.ndarray, quality: int):
    target = folder / f'jpg{quality}'
    with JpgWriter(target, quality) as writer:
        for q in stored:
            writer.add(q)

    def back():
        for i in range(1, len(stored) + 1):
            pair = [
                cv2.imread(
                    str(target / JPG_NAME.format(axis, i)),
                    cv2.IMREAD_GRAYSCALE,
                )
                for axis in 'xy'
            ]
            yield np.stack(pair, axis=-1)

    blocks = sum(p.stat().st_blocks * 512 for p in target.iterdir())
    return stored_bytes(target), blocks, back


def _video(folder: Path, stored: np.ndarray, crf: int):
    target = folder / f'{crf}.mp4'
    with PackedWriter(target, crf, Fraction(25)) as writer:
        for q in stored:
            writer.add(q)

    def back():
        height = stored.shape[1]
        with av.open(str(target)) as container:
            for frame in container.decode(video=0):
                luma = frame.to_ndarray()[: 2 * height]
                yield np.stack([luma[:height], luma[height:]], axis=-1)

    return stored_bytes(target), target.stat().st_blocks * 512, back


def table_storage(path: Path, sides: list[int], flows: int) -> list[str]:
    rows = [
        '| size | stored as | bytes/flow | on disk/flow | added error, mean '
        '(pixels) | 99 % below | reading, ms/flow |',
        '|---|---|---|---|---|---|---|',
    ]
    for side in sides:
        frames = read(path, side, flows + 1)
        height, width = frames[0].shape
        method = make_method('dis', height, width)
        flow = np.stack(
            [method(a, b) for a, b in zip(frames, frames[1:], strict=False)]
        )
        stored, true = quantise(flow), np.clip(flow, -BOUND, BOUND)

        def row(name, size, blocks, decoded, spent):
            error = np.abs(dequantise(decoded) - true)  # noqa: B023
            rows.append(
                f'| {width}x{height} | {name} | '  # noqa: B023
                f'{size / len(decoded):.0f} | {blocks / len(decoded):.0f} | '
                f'{error.mean():.4f} | {np.percentile(error, 99):.3f} | '
                f'{spent / len(decoded) * 1e3:.2f} |'
            )
            print(rows[-1], file=sys.stderr)

        raw = stored.size
        row('8 bits, not compressed', raw, raw, stored, 0.0)
        with tempfile.TemporaryDirectory() as folder:
            stores = [
                (f'jpg, quality {n}', _jpg(Path(folder), stored, n))
                for n in (75, 85, 90, 95)
            ] + [
                (f'video, crf {n}', _video(Path(folder), stored, n))
                for n in (8, 12, 16, 20)
            ]
            for name, (size, blocks, back) in stores:
                start = time.process_time()
                decoded = np.stack(list(back()))
                row(name, size, blocks, decoded, time.process_time() - start)
    return rows


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='example:\n  python tools/benchmarks/bench_flow.py demo.mp4 '
        '--sides 120 240 --flows 100 > table.md',
    )
    parser.add_argument('video', type=Path, help='a real video')
    parser.add_argument(
        '--sides', type=positive_int, nargs='+', default=[120, 240]
    )
    parser.add_argument(
        '--flows',
        type=positive_int,
        default=100,
        help='flows to compute and store (default: 100; a method stops after '
        '20 s)',
    )
    args = parser.parse_args(argv)
    require_file(args.video, 'video')
    print(
        f'{args.video.name}, {platform.machine()}, OpenCV {cv2.__version__}, '
        f'PyAV {av.__version__}\n'
    )
    for table in (table_methods, table_storage):
        print('\n'.join(table(args.video, args.sides, args.flows)), '\n')
    return 0


if __name__ == '__main__':
    run_main(main)
