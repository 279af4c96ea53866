"""Proposals without a detector: the boxes of shapes or actors, made worse.

A stand-in for a person detector in tests and trials: it finds most objects,
their boxes off by a few percent, and reports a few that are not there.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from lgd_mmaction.detection.annotations import TubeAnnotations
from lgd_mmaction.detection.box_table import BoxTable


def make_proposals(
    objects: Mapping[str, Sequence[tuple[int, np.ndarray]]],
    sizes: Mapping[str, tuple[int, int, int]],
    seed: int = 0,
    jitter: float = 0.05,
    recall: float = 0.95,
    false_positives: float = 0.5,
) -> BoxTable:
    """Boxes that a detector might have found.

    Args:
        objects: For each video, objects as (first frame, (F, 4) boxes in
            pixels, x1 y1 x2 y2).
        sizes: For each video frames, width and height.
        seed: Equal arguments give equal proposals.
        jitter: Standard deviation of each edge, in parts of the box's side.
        recall: Part of the boxes that is found.
        false_positives: Mean number of boxes a frame where nothing is.

    Returns:
        A table of proposals: found boxes score 0.6 to 1, others 0.05 to 0.7.
    """
    names = sorted(objects)
    rows: list[tuple[np.ndarray, ...]] = []
    for index, name in enumerate(names):
        rng = np.random.default_rng([seed, index])
        frames, width, height = sizes[name]
        for start, boxes in objects[name]:
            boxes = np.asarray(boxes, np.float64)
            side = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
            # hardly ever more, so that the box found stays a match
            noise = rng.standard_normal(boxes.shape).clip(-2, 2)
            found = rng.random(len(boxes)) < recall
            score = rng.uniform(0.6, 1, len(boxes))
            rows.append(
                (
                    np.full(found.sum(), index),
                    start + np.flatnonzero(found),
                    (boxes + jitter * side * noise)[found],
                    score[found],
                )
            )
        frame = np.repeat(
            np.arange(frames), rng.poisson(false_positives, frames)
        )
        sides = rng.uniform(0.1, 0.5, (len(frame), 2)) * [width, height]
        corner = rng.random((len(frame), 2)) * ([width, height] - sides)
        rows.append(
            (
                np.full(len(frame), index),
                frame,
                np.hstack([corner, corner + sides]),
                rng.uniform(0.05, 0.7, len(frame)),
            )
        )
    video, frame, boxes, score = (
        np.concatenate(column) for column in zip(*rows, strict=True)
    )
    scale = np.array([sizes[name][1:] * 2 for name in names], float)
    boxes = (boxes / scale[video]).clip(0, 1)
    order = np.lexsort((-score, frame, video))
    length = [sizes[name][0] for name in names]
    return BoxTable(
        videos=np.array(names),
        video=video[order].astype(np.int32),
        frame=frame[order].astype(np.int32),
        boxes=boxes[order].astype(np.float32),
        score=score[order].astype(np.float32),
        # it looked at every frame
        frames_video=np.repeat(np.arange(len(names)), length).astype('int32'),
        frames_frame=np.concatenate([np.arange(n) for n in length]).astype(
            'int32'
        ),
    )


def proposals_from_truth(truth: TubeAnnotations, **options) -> BoxTable:
    """:func:`make_proposals` from the tubes of an annotation file."""
    return make_proposals(
        {
            v.name: [(t.start, t.boxes) for t in v.tubes]
            for v in truth.videos.values()
        },
        {
            v.name: (v.num_frames, v.width, v.height)
            for v in truth.videos.values()
        },
        **options,
    )
