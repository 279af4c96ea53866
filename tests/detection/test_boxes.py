"""Overlap and area of boxes in closed form."""

import numpy as np

from lgd_mmaction.detection.boxes import box_area, box_iou


def test_overlap_in_closed_form() -> None:
    a = np.array([[0, 0, 2, 2], [0, 0, 1, 1]], float)
    b = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]], float)
    expected = [[1 / 7, 1, 0], [0, 1 / 4, 0]]
    assert np.allclose(box_iou(a[:, None], b[None]), expected)
    assert box_iou(a[:, None], b[None, :0]).shape == (2, 0)


def test_area() -> None:
    assert box_area(np.array([[1.0, 2, 4, 7], [0, 0, 1, 1]])).tolist() == [
        15,
        1,
    ]


def test_no_area_overlaps_nothing() -> None:
    point = np.array([[1.0, 1, 1, 1]])
    assert box_iou(point, point) == 0


def test_two_plain_boxes() -> None:
    one, two = np.array([0.0, 0, 2, 2]), np.array([1.0, 1, 3, 3])
    assert box_iou(one, two) == 1 / 7
    assert box_iou(one, np.array([5.0, 5, 5, 5])) == 0
