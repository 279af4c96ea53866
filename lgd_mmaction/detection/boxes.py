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
    # one coordinate at a time: no (..., 4) temporaries
    low = np.maximum(first[..., 0], second[..., 0])
    width = np.minimum(first[..., 2], second[..., 2])
    width -= low
    width += pixel_offset
    np.maximum(width, 0.0, out=width)
    low = np.maximum(first[..., 1], second[..., 1])
    height = np.minimum(first[..., 3], second[..., 3])
    height -= low
    height += pixel_offset
    np.maximum(height, 0.0, out=height)
    shared = width * height
    union = box_area(first, pixel_offset) + box_area(second, pixel_offset)
    union -= shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def box_area(boxes: np.ndarray, pixel_offset: float = 0.0) -> np.ndarray:
    """(...) areas of (..., 4) boxes, `pixel_offset` as in box_iou."""
    width = boxes[..., 2] - boxes[..., 0] + pixel_offset
    return width * (boxes[..., 3] - boxes[..., 1] + pixel_offset)
