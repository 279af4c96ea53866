"""Measure time and memory of TubeMetric on a data set of the real size.

The detections are generated from an annotation file: per frame, two shaken
boxes of every annotated actor, tracks of other people, and unrelated boxes,
each with a softmax over the classes that favours the right one. They pass
through TubeMetric.process() frame by frame, as in a test loop.
"""

import resource
import time
from pathlib import Path

import numpy as np
from scipy.special import softmax

from lgd_mmaction.detection.annotations import TubeVideo, load_tubes
from lgd_mmaction.engine import TubeMetric
from lgd_tools.cli import make_parser, positive_int, progress, run_main

SIZE = np.array([320, 240])
EXAMPLE = """\
  python tools/benchmarks/bench_tube_metric.py \\
      --ann data/ucf101_24/ucf101_24_tubes.json"""


def drift(rng: np.random.Generator, frames: int) -> np.ndarray:
    """(frames, 4) float32 pixels of a person who drifts in the frame."""
    half = rng.uniform([15, 30], [45, 85])
    walk = np.cumsum(rng.normal(0, 1.5, (frames, 2)), 0)
    centre = np.clip(rng.uniform(half, SIZE - half) + walk, half, SIZE - half)
    return np.hstack([centre - half, centre + half]).astype(np.float32)


def generate_detections(
    video: TubeVideo, classes: int, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(T, number, 4) fractions and (T, number, classes) scores."""
    frames = video.num_frames
    corners = np.sort(rng.random((frames, number, 2, 2)), 2) * 0.98
    boxes = corners.reshape(frames, number, 4).astype(np.float32)
    boxes[..., 2:] += 0.02
    logits = rng.normal(0, 1.2, (frames, number, classes)).astype(np.float32)
    for slot in range(number * 3 // 5):  # people, whose score is steady
        boxes[:, slot] = drift(rng, frames) / np.tile(SIZE, 2)
        logits[:, slot] += rng.normal(0, 1.5, classes)
    twice = [tube for tube in video.tubes for _ in range(2)]
    for slot, tube in enumerate(twice[:number]):
        rows = slice(tube.start, tube.stop)
        extent = np.tile(tube.boxes[:, 2:] - tube.boxes[:, :2], 2)
        moved = tube.boxes + rng.normal(0, 0.06, tube.boxes.shape) * extent
        moved = np.clip(moved / ([video.width, video.height] * 2), 0, 1)
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 0.01)
        boxes[rows, slot] = moved
        logits[rows, slot, tube.label] += 4
    return boxes, softmax(logits, axis=2)


def peak_gib() -> float:
    """Highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('--ann', type=Path, required=True, help='annotation file')
    add('--detections', type=positive_int, default=20, metavar='N')
    add('--no-trimming', action='store_true', help='as for J-HMDB')
    args = parser.parse_args(argv)
    trimming = None if args.no_trimming else dict()
    videos = load_tubes(args.ann).subset(1, 'test')
    metric = TubeMetric(args.ann, 1, 'test', trimming=trimming)
    classes = len(metric.annotations.classes)
    before, processing = peak_gib(), 0.0
    for i, video in enumerate(progress(videos, 'generate and process')):
        rng = np.random.default_rng(i)
        found = generate_detections(video, classes, args.detections, rng)
        batch = [
            {
                'video_id': video.name,
                'timestamp': frame,
                'pred_instances': {'bboxes': b.copy(), 'scores': s.copy()},
            }
            for frame, (b, s) in enumerate(zip(*found, strict=True))
        ]
        start = time.perf_counter()
        metric.process(None, batch)
        processing += time.perf_counter() - start
    collected = peak_gib()
    start, cpu = time.perf_counter(), time.process_time()
    result = metric.evaluate(len(metric.results))
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(
        f'{len(videos)} videos, {sum(v.num_frames for v in videos)} frames, '
        f'{args.detections} boxes a frame, {classes} classes\n'
        f'process(): {processing:.1f} s\n'
        f'evaluate(): {wall:.1f} s, {cpu:.1f} s of processor time\n'
        f'peak memory: {before:.2f} GiB before, {collected:.2f} with all '
        f'detections, {peak_gib():.2f} at the end'
    )
    for name, value in result.items():
        print(f'{name}: {value:.6g}')
    return 0


if __name__ == '__main__':
    run_main(main)
