"""Means over seeds with their 95 % interval, and differences of pairs."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from scipy.stats import t as student


class Mean(NamedTuple):
    """A mean over seeds; the interval is mean - half to mean + half."""

    mean: float
    half: float  # infinite for one seed
    seeds: int

    def __str__(self) -> str:
        """Per cent."""
        if math.isinf(self.half):
            return f'{100 * self.mean:.1f} (1 seed)'
        return f'{100 * self.mean:.1f} ± {100 * self.half:.1f}'


def mean_of(values: Sequence[float]) -> Mean:
    """Mean of one value a seed, with Student's t interval.

    half = t(0.975, n - 1) s / sqrt(n), s the standard deviation of the n
    seeds: it says where the mean over all seeds lies, if they are about
    normal. Accuracies near 100 % are not; read those intervals with care.
    """
    n, mean = len(values), fmean(values)
    if n == 1:
        return Mean(mean, math.inf, 1)
    quantile = float(student.ppf(0.975, n - 1))
    return Mean(mean, quantile * stdev(values) / math.sqrt(n), n)


def difference(one: dict[int, float], two: dict[int, float]) -> Mean | None:
    """Mean of one - two over the seeds that both have; None without any."""
    seeds = sorted(one.keys() & two.keys())
    return mean_of([one[s] - two[s] for s in seeds]) if seeds else None
