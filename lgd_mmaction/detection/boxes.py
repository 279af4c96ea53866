"""Overlap of boxes: the one formula of data sets and measures."""

import numpy as np


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
    """(...) length that boxes share along x (0) or y (1), at least 0.

    One coordinate at a time, so without (..., 4) temporaries.
    """
    low = np.maximum(first[..., axis], second[..., axis])
    high = np.minimum(first[..., axis + 2], second[..., axis + 2])
    return np.maximum(high - low + pixel_offset, 0.0)


def box_area(boxes: np.ndarray, pixel_offset: float = 0.0) -> np.ndarray:
    """(...) areas of (..., 4) boxes, `pixel_offset` as in box_iou."""
    width = boxes[..., 2] - boxes[..., 0] + pixel_offset
    return width * (boxes[..., 3] - boxes[..., 1] + pixel_offset)
