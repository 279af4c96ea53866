"""Class-wise non-maximum suppression, and the best boxes of each frame."""

import numpy as np

from lgd_mmaction.detection.boxes import box_iou
from lgd_mmaction.detection.detection_set import DetectionSet

# elements of a temporary array, about: bounds the memory of a chunk
CHUNK = 4_000_000


def ranked_boxes(
    data: DetectionSet,
    first: int,
    last: int,
    nms_iou: float | None = None,
    top_k: int | None = None,
    pixel_offset: float = 0.0,
) -> np.ndarray:
    """Rows of the boxes of each frame and class, surest first.

    Greedy suppression within one frame and class: from the surest box on,
    a box that overlaps a kept one by more than `nms_iou` goes. Boxes of
    equal score keep their order.

    Args:
        data: Detections.
        first, last: Frames first : last of `data`.
        nms_iou: Threshold; None keeps every box.
        top_k: At most so many boxes a frame and class; None for all.
        pixel_offset: As in box_iou.

    Returns:
        (last - first, K, D) int32, rows of `data.boxes`, -1 as padding.
    """
    counts = np.diff(data.offset[first : last + 1])
    widest = int(counts.max(initial=0))
    classes = data.scores.shape[1]
    depth = widest if top_k is None else min(top_k, widest)
    out = np.full((last - first, classes, depth), -1, np.int32)
    step = max(1, CHUNK // max(1, widest * max(widest, classes)))
    for begin in range(0, last - first, step):
        end = min(begin + step, last - first)
        width = int(counts[begin:end].max(initial=0))
        if width:
            rows = _rank(
                data, first + begin, first + end, width, nms_iou, pixel_offset
            )[..., :depth]
            out[begin:end, :, : rows.shape[2]] = rows
    return out


def _rank(
    data: DetectionSet,
    first: int,
    last: int,
    width: int,
    nms_iou: float | None,
    pixel_offset: float,
) -> np.ndarray:
    """ranked_boxes of one chunk: (F, K, width) int64."""
    start = data.offset[first:last, None]
    rows = start + np.arange(width)  # (F, D)
    there = rows < data.offset[first + 1 : last + 1, None]
    rows[~there] = 0
    scores = data.scores[rows].swapaxes(1, 2)  # (F, K, D)
    scores[~np.broadcast_to(there[:, None], scores.shape)] = -np.inf
    order = np.argsort(-scores, axis=2, kind='stable')
    # the -inf of padding sorts last, so the first ones are there
    kept = np.broadcast_to(
        np.arange(width) < there.sum(1)[:, None, None], order.shape
    )
    if nms_iou is not None:
        boxes = data.boxes[rows]
        overlaps = (
            box_iou(boxes[:, :, None], boxes[:, None], pixel_offset) > nms_iou
        )
        kept = _suppress(order, overlaps, kept)
        # kept ones to the front, in their order
        place = np.argsort(~kept, axis=2, kind='stable')
        order = np.take_along_axis(order, place, 2)
        kept = np.take_along_axis(kept, place, 2)
    return np.where(kept, start[:, None] + order, -1)


def _suppress(
    order: np.ndarray, overlaps: np.ndarray, there: np.ndarray
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
        gone |= overlaps[frames, box] & alive[..., None]
    return kept
