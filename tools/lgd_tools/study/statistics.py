"""Means over seeds with their 95 % interval, and differences of pairs."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple


class Mean(NamedTuple):
    """A mean over seeds; the interval is mean - half to mean + half."""

    mean: float
    half: float  # NaN for one seed
    seeds: int

    def __str__(self) -> str:
        """Per cent."""
        half = '(1 seed)' if self.seeds == 1 else f'± {100 * self.half:.1f}'
        return f'{100 * self.mean:.1f} {half}'


def mean_of(values: Sequence[float]) -> Mean:
    """Mean of one value a seed, with Student's t interval.

    half = t(0.975, n - 1) s / sqrt(n), s the standard deviation of the n
    seeds: it says where the mean over all seeds lies, if they are about
    normal. Accuracies near 100 % are not; read those intervals with care.
    """
    from scipy.stats import t as student  # takes a second: not for --help

    n, half = len(values), math.nan
    if n > 1:
        half = student.ppf(0.975, n - 1) * stdev(values) / math.sqrt(n)
    return Mean(fmean(values), float(half), n)


def difference(one: dict[int, float], two: dict[int, float]) -> Mean | None:
    """Mean of one - two over the seeds that both have; None without any."""
    seeds = sorted(one.keys() & two.keys())
    return mean_of([one[s] - two[s] for s in seeds]) if seeds else None
