"""Boxes: overlap (IoU), and class-wise non-maximum suppression (NMS)."""

import numpy as np

from lgd_mmaction.detection.detection_set import DetectionSet

# elements of a temporary array, about: bounds the memory of a chunk
CHUNK = 4_000_000


def box_iou(
    first: np.ndarray, second: np.ndarray, pixel_offset: float = 0.0
) -> np.ndarray:
    """Intersection over union of boxes, element by element.

    Args:
        first: (..., 4) float64, x1 y1 x2 y2; broadcasts against `second`.
        second: (..., 4) float64.
        pixel_offset: Added to every width and height: 0 for continuous
            edges, 1 for the inclusive pixels of the ACT detector's code.

    Returns:
        (...) float64 in [0, 1]; 0 where neither box has an area.
    """
    shared = _common(first, second, 0, pixel_offset)
    shared = shared * _common(first, second, 1, pixel_offset)
    union = box_area(first, pixel_offset) + box_area(second, pixel_offset)
    union = np.asarray(union - shared)
    return np.divide(shared, union, out=np.zeros_like(union), where=union > 0)


def _common(
    first: np.ndarray, second: np.ndarray, axis: int, pixel_offset: float
) -> np.ndarray:
    """(...) length that boxes share along x (0) or y (1), at least 0."""
    # one coordinate at a time, so without (..., 4) temporaries
    low = np.maximum(first[..., axis], second[..., axis])
    high = np.minimum(first[..., axis + 2], second[..., axis + 2])
    return np.maximum(high - low + pixel_offset, 0.0)


def box_area(boxes: np.ndarray, pixel_offset: float = 0.0) -> np.ndarray:
    """(...) areas of (..., 4) boxes, `pixel_offset` as in box_iou."""
    width = boxes[..., 2] - boxes[..., 0] + pixel_offset
    return width * (boxes[..., 3] - boxes[..., 1] + pixel_offset)


def nms(
    detections: DetectionSet,
    first: int,
    last: int,
    iou: float | None = None,
    top_k: int | None = None,
    pixel_offset: float = 0.0,
) -> np.ndarray:
    """Greedy NMS within each frame and class.

    From the surest box on, a box that overlaps a kept one by more than
    `iou` goes. Boxes of equal score keep their order.

    Args:
        detections: Detections.
        first, last: Frames first : last of them.
        iou: Threshold; None keeps every box.
        top_k: At most so many boxes a frame and class; None for all.
        pixel_offset: As in box_iou.

    Returns:
        (last - first, K, D) int32, rows of the detections, surest first,
        -1 as padding.
    """
    counts = np.diff(detections.offset[first : last + 1])
    widest = int(counts.max(initial=0))
    classes = detections.scores.shape[1]
    depth = widest if top_k is None else min(top_k, widest)
    out = np.full((last - first, classes, depth), -1, np.int32)
    step = max(1, CHUNK // max(1, widest * max(widest, classes)))
    for begin in range(0, last - first, step):
        end = min(begin + step, last - first)
        frames = np.arange(first + begin, first + end)
        rows = _ranked_rows(detections, frames, iou, pixel_offset)
        rows = rows[..., :depth]
        out[begin:end, :, : rows.shape[2]] = rows
    return out


def _ranked_rows(
    detections: DetectionSet,
    frames: np.ndarray,
    iou: float | None,
    pixel_offset: float,
) -> np.ndarray:
    """(F, K, D) rows that are kept, by rank, -1 as padding."""
    rows, there = frame_rows(detections, frames)  # (F, D)
    scores = detections.scores[rows].swapaxes(1, 2)  # (F, K, D)
    scores[~np.broadcast_to(there[:, None], scores.shape)] = -np.inf
    # the -inf of padding sorts last
    order = np.argsort(-scores, axis=2, kind='stable')
    kept = np.broadcast_to(there[:, None], order.shape)
    if iou is not None:
        boxes = detections.boxes[rows]
        overlaps = box_iou(boxes[:, :, None], boxes[:, None], pixel_offset)
        kept = _suppress(order, overlaps > iou, kept)
        # kept ones to the front, in their order
        place = np.argsort(~kept, axis=2, kind='stable')
        order = np.take_along_axis(order, place, 2)
        kept = np.take_along_axis(kept, place, 2)
    return np.where(kept, detections.offset[frames, None, None] + order, -1)


def frame_rows(
    detections: DetectionSet, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(F, D) rows of each frame, 0 as padding, and whether they are there."""
    begin, end = detections.offset[frames], detections.offset[frames + 1]
    width = int((end - begin).max(initial=0))
    rows = begin[:, None] + np.arange(width)
    there = rows < end[:, None]
    return np.where(there, rows, 0), there


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
