"""Boxes: overlap (IoU), and class-wise non-maximum suppression (NMS)."""

import numpy as np

from lgd_mmaction.detection.detection_set import DetectionSet

# elements of a temporary array, about: bounds the memory of a chunk
CHUNK = 4_000_000


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes, element by element.

    Args:
        first: (..., 4) float64, x1 y1 x2 y2 as edges; broadcasts.
        second: (..., 4) float64.

    Returns:
        (...) float64 in [0, 1]; 0 where neither box has an area.
    """
    shared = _common(first, second, 0) * _common(first, second, 1)
    union = np.asarray(box_area(first) + box_area(second) - shared)
    return np.divide(shared, union, out=np.zeros_like(union), where=union > 0)


def _common(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
    """(...) length that boxes share along x (0) or y (1), at least 0."""
    # one coordinate at a time, so without (..., 4) temporaries
    low = np.maximum(first[..., axis], second[..., axis])
    high = np.minimum(first[..., axis + 2], second[..., axis + 2])
    return np.maximum(high - low, 0.0)


def box_area(boxes: np.ndarray) -> np.ndarray:
    """(...) areas of (..., 4) boxes."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def nms(
    detections: DetectionSet,
    first: int,
    last: int,
    iou: float | None = None,
    top_k: int | None = None,
) -> np.ndarray:
    """Greedy NMS within each class of the frames first : last.

    From the surest box on, a box that overlaps a kept one by more than
    `iou` goes (None: no box). Boxes of equal score keep their order. At
    most `top_k` of a frame and class are left (None: all).

    Returns:
        (last - first, K, D) int64, rows of the detections, surest first,
        -1 as padding.
    """
    offset, classes = detections.offset, detections.scores.shape[1]
    widest = int(np.diff(offset[first : last + 1]).max(initial=0))
    depth = widest if top_k is None else min(top_k, widest)
    out = np.empty((last - first, classes, depth), np.int64)
    step = max(1, CHUNK // max(1, widest * max(widest, classes)))
    for begin in range(first, last, step):
        frames = np.arange(begin, min(begin + step, last))[:, None]
        rows = offset[frames] + np.arange(widest)  # (F, D)
        there = rows < offset[frames + 1]
        rows[~there] = 0
        scores = detections.scores[rows].swapaxes(1, 2)  # (F, K, D)
        there = np.broadcast_to(there[:, None], scores.shape)
        # the -inf of padding sorts last
        scores = np.where(there, scores, -np.inf)
        order = np.argsort(-scores, axis=2, kind='stable')
        kept = there
        if iou is not None:
            boxes = detections.boxes[rows]
            overlaps = box_iou(boxes[:, :, None], boxes[:, None]) > iou
            kept = _suppress(order, overlaps, there)
            # kept ones to the front, in their order
            place = np.argsort(~kept, axis=2, kind='stable')
            order = np.take_along_axis(order, place, 2)
            kept = np.take_along_axis(kept, place, 2)
        order += offset[frames][:, None]
        order[~kept] = -1
        at = slice(begin - first, begin - first + len(frames))
        out[at] = order[:, :, :depth]
    return out


def _suppress(
    order: np.ndarray, overlap: np.ndarray, there: np.ndarray
) -> np.ndarray:
    """(F, K, D) bool, whether the box of each rank survives."""
    kept = there.copy()
    frames = np.arange(len(order))[:, None]
    gone = np.zeros(order.shape, bool)  # by box, not by rank
    grid = (frames, np.arange(order.shape[1]))
    for rank in range(order.shape[2]):
        box = order[:, :, rank]
        alive = kept[:, :, rank] & ~gone[(*grid, box)]
        kept[:, :, rank] = alive
        gone |= overlap[frames, box] & alive[..., None]
    return kept
