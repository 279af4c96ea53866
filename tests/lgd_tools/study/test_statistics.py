"""Intervals against numbers of the textbook."""

import math

import pytest

from lgd_tools.study.statistics import difference, mean_of


def test_interval_of_five_values():
    # t(0.975, 4) = 2.776; s of 1..5 is sqrt(2.5)
    found = mean_of([1, 2, 3, 4, 5])
    assert found.mean == 3 and found.seeds == 5
    assert found.half == pytest.approx(2.776 * math.sqrt(2.5 / 5), rel=1e-3)


def test_one_seed_has_no_interval():
    assert str(mean_of([0.5])) == '50.0 (1 seed)'
    assert str(mean_of([0.5, 0.5])) == '50.0 ± 0.0'


def test_difference_is_of_pairs():
    one, two = {0: 0.9, 1: 0.8, 2: 0.1}, {0: 0.6, 1: 0.5, 7: 0.9}
    found = difference(one, two)
    assert found.mean == pytest.approx(0.3) and found.seeds == 2
    assert found.half == pytest.approx(0, abs=1e-12)
    assert difference({0: 1.0}, {1: 1.0}) is None
