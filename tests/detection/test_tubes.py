"""The two-label path against every labelling there is."""

import itertools

import numpy as np

from lgd_mmaction.detection.tubes import two_label_path


def value(labels: np.ndarray, gain: np.ndarray, penalty: float) -> float:
    signed = np.where(labels, gain, -gain).sum()
    return float(signed - penalty * (labels[1:] != labels[:-1]).sum())


def test_no_labelling_is_better() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        lengths = rng.integers(1, 9, 4)
        offset = np.r_[0, np.cumsum(lengths)]
        gain = rng.integers(-4, 5, offset[-1]) / 4
        penalty = float(rng.choice([0, 0.25, 1]))
        path = two_label_path(gain, offset, penalty)
        for a, b in itertools.pairwise(offset.tolist()):
            every = itertools.product([True, False], repeat=b - a)
            best = max(value(np.array(p), gain[a:b], penalty) for p in every)
            assert value(path[a:b], gain[a:b], penalty) == best
