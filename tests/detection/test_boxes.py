"""Overlap and area of boxes in closed form."""

import numpy as np

from lgd_mmaction.detection.boxes import box_area, box_iou


def test_overlap_in_closed_form() -> None:
    a = np.array([[0, 0, 2, 2], [0, 0, 1, 1]], float)
    b = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]], float)
    expected = [[1 / 7, 1, 0], [0, 1 / 4, 0]]
    assert np.allclose(box_iou(a[:, None], b[None]), expected)
    assert box_iou(a[:, None], b[None, :0]).shape == (2, 0)


def test_pixels_that_are_included() -> None:
    # pixels 0..1 and 1..2: 2 x 2 each, one shared
    a, b = np.array([[0.0, 0, 1, 1]]), np.array([[1.0, 1, 2, 2]])
    assert box_area(a) == 1 and box_area(a, 1) == 4
    assert box_iou(a, b) == 0
    assert np.isclose(box_iou(a, b, 1), 1 / 7)


def test_no_area_overlaps_nothing() -> None:
    point = np.array([[1.0, 1, 1, 1]])
    assert box_iou(point, point) == 0


def test_two_plain_boxes() -> None:
    one, two = np.array([0.0, 0, 2, 2]), np.array([1.0, 1, 3, 3])
    assert box_iou(one, two) == 1 / 7
    assert box_iou(one, np.array([5.0, 5, 5, 5])) == 0
