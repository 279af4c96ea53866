"""Frame-AP: are the boxes of each single frame right?"""

from collections.abc import Iterator, Sequence

import numpy as np

from lgd_mmaction.detection.average_precision import (
    average_precision,
    greedy_match,
)
from lgd_mmaction.detection.boxes import CHUNK, box_iou, frame_rows, nms
from lgd_mmaction.detection.detection_set import DetectionSet


def frame_ap(
    detections: DetectionSet,
    thresholds: Sequence[float] = (0.5,),
    nms_iou: float | None = None,
    ap: str = 'area',
    pixel_offset: float = 0.0,
) -> np.ndarray:
    """Average precision of each class over all frames.

    Detections of a class are ranked over all frames; from the surest on,
    each takes the annotated box of its frame and class that it overlaps
    most among those not taken, if by at least the threshold. Any other
    detection is wrong, a second one of the same actor included. Equal
    scores rank by video, frame and row.

    Args:
        detections: Detections and truth.
        thresholds: Overlaps (T,), each in (0, 1].
        nms_iou: Class-wise suppression before; None for none.
        ap: 'area' or 'voc', see average_precision.
        pixel_offset: As in box_iou.

    Returns:
        (T, K) float64; NaN for classes that have no annotated box.
    """
    rows, classes = detections.scores.shape
    kept = _kept(detections, nms_iou, pixel_offset)
    hits = np.zeros((len(thresholds), rows, classes), bool)
    for row, label, overlaps in _overlaps(detections, kept, pixel_offset):
        for hit, threshold in zip(hits, thresholds, strict=True):
            ok = greedy_match(overlaps, threshold)
            hit[row[ok], label[ok]] = True
    truths, _ = detections.count_truths()
    out = np.full((len(thresholds), classes), np.nan)
    for label in np.flatnonzero(truths):
        mine = np.flatnonzero(kept[:, label])
        # rows lie in the order video, frame, row already
        ranked = mine[
            np.argsort(-detections.scores[mine, label], kind='stable')
        ]
        for t in range(len(thresholds)):
            out[t, label] = average_precision(
                hits[t, ranked, label], int(truths[label]), ap
            )
    return out


def _kept(
    detections: DetectionSet, nms_iou: float | None, pixel_offset: float
) -> np.ndarray:
    """(M, K) bool, what class-wise suppression leaves."""
    if nms_iou is None:
        return np.ones(detections.scores.shape, bool)
    kept = np.zeros(detections.scores.shape, bool)
    frames = len(detections.frame)
    for first in range(0, frames, 4096):
        last = min(first + 4096, frames)
        rows = nms(detections, first, last, nms_iou, pixel_offset=pixel_offset)
        _, label, _ = np.nonzero(rows >= 0)
        kept[rows[rows >= 0], label] = True
    return kept


def _truth_groups(detections: DetectionSet) -> tuple[np.ndarray, ...]:
    """Annotated boxes in tested frames, sorted by frame and class.

    Returns:
        (G,) tested frame, (G,) class, (G, 4) box; boxes of one frame and
        class in the order of the tubes.
    """
    frames, labels, boxes = [], [], []
    for v, video in enumerate(detections.videos):
        first, last = (
            detections.video_offset[v],
            detections.video_offset[v + 1],
        )
        tested = detections.frame[first:last]
        for tube in video.tubes:
            a, b = np.searchsorted(tested, [tube.start, tube.stop])
            frames.append(np.arange(first + a, first + b))
            labels.append(np.full(b - a, tube.label))
            boxes.append(tube.boxes[tested[a:b] - tube.start])
    frame = np.concatenate(frames)
    label = np.concatenate(labels)
    order = np.lexsort((label, frame))
    box = np.concatenate(boxes).astype(np.float64)
    return frame[order], label[order], box[order]


def _overlaps(
    detections: DetectionSet, kept: np.ndarray, pixel_offset: float
) -> Iterator[tuple[np.ndarray, ...]]:
    """Overlap of detections and truth, in chunks of (frame, class) groups.

    Yields:
        Row and class of each detection, both (N, D), and the overlaps
        (N, D, G): detections of a group by rank, -1 where there is none.
    """
    frame, label, truth = _truth_groups(detections)
    if not len(frame):
        return
    new = np.r_[True, (np.diff(frame) != 0) | (np.diff(label) != 0)]
    begins = np.flatnonzero(new)
    sizes = np.diff(np.r_[begins, len(frame)])
    numbers = np.diff(detections.offset)[frame[begins]]
    # groups of like size together, so that padding stays small
    order = np.lexsort((numbers, sizes))
    begins, sizes, numbers = begins[order], sizes[order], numbers[order]
    at = 0
    while at < len(begins):
        size = int(sizes[at])
        same = int(np.searchsorted(sizes, size, side='right'))
        cost = numbers[at:same] * np.arange(1, same - at + 1) * size
        step = max(1, int(np.searchsorted(cost, CHUNK, side='right')))
        group = begins[at : at + step]
        at += step
        c = label[group][:, None]
        rows, there = frame_rows(detections, frame[group])  # (N, D)
        there &= kept[rows, c]
        scores = np.where(there, detections.scores[rows, c], -np.inf)
        rank = np.argsort(-scores, axis=1, kind='stable')
        rows = np.take_along_axis(rows, rank, 1)
        there = np.take_along_axis(there, rank, 1)
        overlaps = box_iou(
            detections.boxes[rows][:, :, None],
            truth[group[:, None] + np.arange(size)][:, None],
            pixel_offset,
        )
        overlaps[~there] = -1
        yield rows, np.broadcast_to(c, rows.shape), overlaps
