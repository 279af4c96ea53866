"""Small random cases for both the metric and the slow reference."""

import numpy as np

from lgd_mmaction.detection.annotations import Tube, TubeAnnotations, TubeVideo
from lgd_mmaction.detection.box_table import BoxTable


def random_case(rng: np.random.Generator) -> dict:
    """A case as reference.py describes it, made to be awkward.

    Few coordinates and few scores, so that overlaps and scores tie;
    several actors of a class; frames without a box, frames that were not
    tested, videos without anything; boxes across the edge of the frame.
    """
    classes = int(rng.integers(1, 4))
    few_scores = rng.random() < 0.6
    grid = int(rng.choice([1, 5, 10]))
    videos, found = [], {}
    for v in range(int(rng.integers(1, 5))):
        # powers of two: fractions of them are exact in float32
        video = {
            'frames': int(rng.integers(1, 9)),
            'width': int(rng.choice([64, 128])),
            'height': 64,
            'tubes': [],
        }
        videos.append(video)
        for _ in range(int(rng.integers(0, 4))):
            start = int(rng.integers(0, video['frames']))
            length = int(rng.integers(1, video['frames'] - start + 1))
            box = random_box(rng, video, grid)
            boxes = [box]
            for _ in range(length - 1):
                box = box if rng.random() < 0.7 else shifted(rng, box, video)
                boxes.append(box)
            label = int(rng.integers(classes))
            video['tubes'].append((label, start, boxes))
        for frame in range(video['frames']):
            if rng.random() < 0.1:
                continue  # not tested
            rows = [
                box[frame - start]
                for _, start, box in video['tubes']
                if start <= frame < start + len(box) and rng.random() < 0.85
            ]
            rows = [
                box if rng.random() < 0.5 else shifted(rng, box, video)
                for box in rows
            ]
            for _ in range(int(rng.integers(0, 4))):
                rows.append(random_box(rng, video, grid))
            if rows and rng.random() < 0.2:
                rows.append(rows[0])
            order = rng.permutation(len(rows))
            found[v, frame] = [
                detection(rng, rows[i], video, classes, few_scores)
                for i in order
            ]
    if not any(video['tubes'] for video in videos):
        videos[0]['tubes'].append((0, 0, [random_box(rng, videos[0], grid)]))
    return {'classes': classes, 'videos': videos, 'found': found}


def random_box(rng: np.random.Generator, video: dict, grid: int) -> list:
    """A box inside the frame, corners on a grid."""
    x = np.sort(rng.choice(np.arange(0, video['width'] + 1, grid), 2, False))
    y = np.sort(rng.choice(np.arange(0, video['height'] + 1, grid), 2, False))
    return [float(x[0]), float(y[0]), float(x[1]), float(y[1])]


def shifted(rng: np.random.Generator, box: list, video: dict) -> list:
    """A box moved by a few pixels, still inside the frame."""
    dx, dy = rng.integers(-6, 7, 2).tolist()
    dx = min(max(dx, -box[0]), video['width'] - box[2])
    dy = min(max(dy, -box[1]), video['height'] - box[3])
    return [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy]


def detection(
    rng: np.random.Generator,
    box: list,
    video: dict,
    classes: int,
    few_scores: bool,
) -> tuple[list, list]:
    size = [video['width'], video['height']] * 2
    fractions = [x / s for x, s in zip(box, size, strict=True)]
    if rng.random() < 0.1:  # across the edge, or outside
        dx, dy = rng.choice([-0.5, 0, 0.5], 2).tolist()
        moves = [dx, dy, dx, dy]
        fractions = [x + d for x, d in zip(fractions, moves, strict=True)]
    if few_scores:
        scores = rng.integers(0, 5, classes) / 4
    else:
        scores = rng.random(classes).astype(np.float32)
    return fractions, [float(score) for score in scores]


def as_annotations(case: dict) -> TubeAnnotations:
    """The truth of a case; videos are named v0, v1 ..."""
    videos = {
        f'v{v}': TubeVideo(
            f'v{v}',
            video['frames'],
            video['width'],
            video['height'],
            tuple(
                Tube(label, start, np.array(boxes, np.float32))
                for label, start, boxes in video['tubes']
            ),
        )
        for v, video in enumerate(case['videos'])
    }
    classes = tuple(f'class {k}' for k in range(case['classes']))
    return TubeAnnotations('case', classes, {'1': {'test': [*videos]}}, videos)


def as_table(case: dict, rng: np.random.Generator | None = None) -> BoxTable:
    """The detections of a case; `rng` shuffles the frames, not the rows."""
    keys = sorted(case['found'])
    if rng is not None:
        keys = [keys[i] for i in rng.permutation(len(keys))]
    rows = [(key, *row) for key in keys for row in case['found'][key]]
    return BoxTable(
        videos=np.array([f'v{v}' for v in range(len(case['videos']))]),
        video=np.array([key[0] for key, _, _ in rows], np.int32),
        frame=np.array([key[1] for key, _, _ in rows], np.int32),
        boxes=np.array([box for _, box, _ in rows], np.float32).reshape(-1, 4),
        scores=np.array([scores for _, _, scores in rows], np.float32).reshape(
            -1, case['classes']
        ),
        frames_video=np.array([key[0] for key in keys], np.int32),
        frames_frame=np.array([key[1] for key in keys], np.int32),
    )
