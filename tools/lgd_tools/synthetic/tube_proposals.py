"""Proposals without a detector: the boxes of shapes, made worse.

A stand-in for a person detector in tests and trials: it finds most objects,
their boxes off by a few percent, and reports a few that are not there.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from lgd_mmaction.detection.box_table import BoxTable

JITTER = 0.05  # standard deviation of each edge, in parts of the box's side
RECALL = 0.95  # part of the boxes that is found
FALSE_POSITIVES = 0.5  # mean number of boxes a frame where nothing is


def make_proposals(
    objects: Mapping[str, Sequence[np.ndarray]],
    size: tuple[int, int],
    seed: int = 0,
) -> BoxTable:
    """Proposals: boxes found score 0.6 to 1, others 0.05 to 0.7.

    `objects` are, for each video, the (T, 4) boxes of every object in its T
    frames, x1 y1 x2 y2 in pixels; size is the height and width of all videos.
    """
    names, scale = sorted(objects), np.array([size[1], size[0]] * 2)
    rows, lengths = [], []
    for index, name in enumerate(names):
        rng = np.random.default_rng([seed, index])
        lengths.append(len(objects[name][0]))
        for boxes in objects[name]:
            side = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
            # hardly ever more, so that the box found stays a match
            noise = rng.standard_normal(boxes.shape).clip(-2, 2)
            found = np.flatnonzero(rng.random(len(boxes)) < RECALL)
            boxes = (boxes + JITTER * side * noise)[found] / scale
            score = rng.uniform(0.6, 1, len(side))[found]
            rows.append((index, found, boxes, score))
        count = rng.poisson(FALSE_POSITIVES, lengths[-1])
        frame = np.repeat(np.arange(lengths[-1]), count)
        sides = rng.uniform(0.1, 0.5, (len(frame), 2))
        corner = rng.random(sides.shape) * (1 - sides)
        boxes = np.hstack([corner, corner + sides])
        rows.append((index, frame, boxes, rng.uniform(0.05, 0.7, len(frame))))
    index, frame, boxes, score = zip(*rows, strict=True)
    video = np.repeat(index, [len(each) for each in frame])
    frame, score = np.concatenate(frame), np.concatenate(score)
    order = np.lexsort((-score, frame, video))
    return BoxTable(
        videos=np.array(names),
        video=video[order].astype(np.int32),
        frame=frame[order].astype(np.int32),
        boxes=np.concatenate(boxes)[order].clip(0, 1).astype(np.float32),
        score=score[order].astype(np.float32),
        # it looked at every frame
        frames_video=np.repeat(np.arange(len(names)), lengths).astype('int32'),
        frames_frame=np.concatenate(
            [np.arange(n) for n in lengths], dtype='int32'
        ),
    )
