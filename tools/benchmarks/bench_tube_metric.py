"""Measure time and memory of TubeMetric on a data set of the real size.

The truth is an annotation file, or generated with --generate in the size of
UCF101-24's test set (910 videos, about 166,000 frames, 24 classes). The
detections are generated from it: per frame, two shaken boxes of every
annotated actor, tracks of other people, and unrelated boxes, each with a
softmax over the classes that favours the right one. They pass through
TubeMetric.process() frame by frame, as in a test loop.

example:
  python tools/benchmarks/bench_tube_metric.py \\
      --ann data/ucf101_24/ucf101_24_tubes.json
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lgd_mmaction.detection.annotations import (
    Tube,
    TubeAnnotations,
    TubeVideo,
    load_tubes,
    save_tubes,
)
from lgd_mmaction.engine import TubeMetric
from lgd_tools.cli import positive_int, progress, run_main

WIDTH, HEIGHT = 320, 240


def generate_truth(
    videos: int, frames: int, classes: int, seed: int
) -> TubeAnnotations:
    """Videos of one class each, of one to four actors who drift."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(5.1, 0.4, videos), 30, 900)
    lengths = np.maximum(lengths * frames / lengths.sum(), 2).astype(int)
    found = {}
    for i, length in enumerate(lengths.tolist()):
        tubes = []
        for _ in range(rng.choice([1, 1, 1, 2, 4])):
            part = max(int(length * rng.uniform(0.4, 1)), 1)
            start = int(rng.integers(0, length - part + 1))
            tubes.append(Tube(i % classes, start, _track(rng, part)))
        name = f'class{i % classes}/video{i}'
        found[name] = TubeVideo(name, length, WIDTH, HEIGHT, tuple(tubes))
    names = tuple(f'class{k}' for k in range(classes))
    return TubeAnnotations(
        'generated', names, {'1': {'test': [*found]}}, found
    )


def _track(rng: np.random.Generator, frames: int) -> np.ndarray:
    """(frames, 4) float32 pixels of a person who drifts in the frame."""
    size = rng.uniform([30, 60], [90, 170])
    walk = np.cumsum(rng.normal(0, 1.5, (frames, 2)), 0)
    centre = rng.uniform(size / 2, [WIDTH, HEIGHT] - size / 2) + walk
    centre = np.clip(centre, size / 2, [WIDTH, HEIGHT] - size / 2)
    box = np.concatenate([centre - size / 2, centre + size / 2], 1)
    box = np.clip(box, 0, [WIDTH, HEIGHT] * 2)
    return box.astype(np.float32)


def generate_detections(
    video: TubeVideo, classes: int, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(T, number, 4) fractions and (T, number, classes) scores."""
    frames = video.num_frames
    size = np.array([video.width, video.height] * 2, np.float32)
    boxes = np.empty((frames, number, 4), np.float32)
    logits = rng.normal(0, 1.2, (frames, number, classes)).astype(np.float32)
    tracks = number * 3 // 5
    for i in range(number):
        if i < tracks:  # people, whose class score is steady
            track = _track(rng, frames)
            boxes[:, i] = track / np.array([WIDTH, HEIGHT] * 2, np.float32)
            logits[:, i] += rng.normal(0, 1.5, classes)
        else:
            corner = np.sort(rng.random((frames, 2, 2)), 1)
            boxes[:, i] = corner.reshape(frames, 4) * 0.98
            boxes[:, i, 2:] += 0.02
    slot = 0
    for tube in video.tubes:
        for _ in range(2):
            if slot == number:
                break
            part = slice(tube.start, tube.stop)
            extent = np.tile(tube.boxes[:, 2:] - tube.boxes[:, :2], 2)
            shake = rng.normal(0, 0.06, tube.boxes.shape) * extent
            moved = np.clip((tube.boxes + shake) / size, 0, 1)
            moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 0.01)
            boxes[part, slot] = moved
            logits[part, slot, tube.label] += 4
            slot += 1
    logits -= logits.max(2, keepdims=True)
    scores = np.exp(logits)
    return boxes, scores / scores.sum(2, keepdims=True)


def samples(
    videos: list[TubeVideo], classes: int, number: int, seed: int
) -> Iterator[list[dict]]:
    """The data samples of one video after the other."""
    for i, video in enumerate(videos):
        rng = np.random.default_rng([seed, i])
        boxes, scores = generate_detections(video, classes, number, rng)
        yield [
            {
                'video_id': video.name,
                'timestamp': frame,
                'pred_instances': {'bboxes': b.copy(), 'scores': s.copy()},
            }
            for frame, (b, s) in enumerate(zip(boxes, scores, strict=True))
        ]


def peak_gib() -> float:
    """Highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--ann', metavar='JSON', help='annotation file')
    source.add_argument(
        '--generate', action='store_true', help='generate the truth too'
    )
    parser.add_argument('--split', default='1')
    parser.add_argument('--subset', default='test')
    parser.add_argument('--videos', type=positive_int, default=910)
    parser.add_argument('--frames', type=positive_int, default=166_000)
    parser.add_argument('--classes', type=positive_int, default=24)
    parser.add_argument(
        '--detections', type=positive_int, default=20, metavar='N'
    )
    parser.add_argument('--nms-iou', type=float, metavar='IOU')
    parser.add_argument(
        '--no-trimming', action='store_true', help='as for J-HMDB'
    )
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    return measure(args)


def measure(args: argparse.Namespace) -> int:
    """Generate, process, evaluate; print a small table."""
    with tempfile.TemporaryDirectory() as folder:
        path = args.ann
        if args.generate:
            path = Path(folder, 'tubes.json')
            save_tubes(
                generate_truth(
                    args.videos, args.frames, args.classes, args.seed
                ),
                path,
            )
        videos = load_tubes(path).subset(args.split, args.subset)
        metric = TubeMetric(
            path,
            args.split,
            args.subset,
            nms_iou=args.nms_iou,
            trimming=None if args.no_trimming else dict(),
        )
    classes = len(metric.annotations.classes)
    frames = sum(video.num_frames for video in videos)
    before, processing = peak_gib(), 0.0
    source = samples(videos, classes, args.detections, args.seed)
    for batch in progress(source, 'generate and process', len(videos)):
        start = time.perf_counter()
        metric.process(None, batch)
        processing += time.perf_counter() - start
    collected = peak_gib()
    start, cpu = time.perf_counter(), time.process_time()
    result = metric.evaluate(len(metric.results))
    wall = time.perf_counter() - start
    cpu = time.process_time() - cpu
    print(
        f'{len(videos)} videos, {frames} frames, {args.detections} boxes a '
        f'frame, {classes} classes'
    )
    print(f'process(): {processing:.1f} s')
    print(f'evaluate(): {wall:.1f} s, {cpu:.1f} s of processor time')
    print(
        f'peak memory: {before:.2f} GiB before, {collected:.2f} with all '
        f'detections, {peak_gib():.2f} at the end'
    )
    for name, value in result.items():
        print(f'{name}: {value:.6g}')
    return 0


if __name__ == '__main__':
    run_main(main)
