"""Average precision against numbers worked out by hand."""

import pytest

from lgd_mmaction.detection.average_precision import average_precision


@pytest.mark.parametrize(
    ('hits', 'truths', 'area', 'voc'),
    [
        ([1], 1, 1, 1),
        ([1, 1, 0, 0], 2, 1, 1),
        ([], 3, 0, 0),
        ([0, 0], 1, 0, 0),
        # from (0, 1) straight down, then up to (1, 1/2): a triangle
        ([0, 1], 1, 1 / 4, 1 / 2),
        # (1 + 1)/2 * 1/2, then (1/2 + 2/3)/2 * 1/2
        ([1, 0, 1], 2, 1 / 2 + 7 / 24, 1 / 2 + 1 / 3),
        # a truth never found
        ([1, 0, 1], 3, 1 / 3 + 7 / 36, 1 / 3 + 2 / 9),
    ],
)
def test_closed_forms(
    hits: list, truths: int, area: float, voc: float
) -> None:
    assert average_precision(hits, truths) == pytest.approx(area, abs=1e-12)
    value = average_precision(hits, truths, 'voc')
    assert value == pytest.approx(voc, abs=1e-12)
