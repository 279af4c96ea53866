"""Weights of streams: weighted fusion and the search for good weights."""

import hashlib
import itertools
from collections.abc import Sequence

import numpy as np

from lgd_tools.cli import ToolError
from lgd_tools.results.measures import measure

SWEEP_NOTE = (
    'tuned on the evaluated videos: an upper bound, never a result to report'
)
HELD_OUT_NOTE = (
    'each half of the videos scored with the weights that were best on the '
    'other half'
)


def normalise_weights(
    weights: Sequence[float] | None, streams: int
) -> np.ndarray:
    """Weights that add up to one; equal ones for None.

    Raises:
        ToolError: Not one weight a stream, or negative, or all zero.
    """
    if weights is None:
        weights = [1.0] * streams
    array = np.array(weights, dtype=np.float64)
    if array.shape != (streams,):
        raise ToolError(
            f'{array.size} weights for {streams} streams; give one a stream'
        )
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise ToolError(
            f'weights {list(weights)}: they must be zero or more, and not '
            'all zero'
        )
    return array / array.sum()


def fuse(values: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Weighted sum of (V, K) scores over the streams."""
    return sum(w * v for w, v in zip(weights, values, strict=True))


def softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the classes."""
    values = np.exp(values - values.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def are_probabilities(values: np.ndarray) -> bool:
    """Whether every row is a distribution, to half precision."""
    return bool(
        (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=2e-2)
    )


def weight_grid(streams: int, steps: int) -> np.ndarray:
    """All weights in multiples of 1 / steps that add up to one."""
    rows = [
        row
        for row in itertools.product(range(steps + 1), repeat=streams)
        if sum(row) == steps
    ]
    return np.array(rows, dtype=np.float64) / steps


def halves(keys: Sequence[str]) -> np.ndarray:
    """A fixed half of the videos, by a hash of their names (boolean)."""
    digests = [hashlib.sha256(k.encode()).hexdigest() for k in keys]
    chosen = np.zeros(len(keys), dtype=bool)
    chosen[np.argsort(digests)[: len(keys) // 2]] = True
    return chosen


def sweep(
    keys: Sequence[str],
    values: Sequence[np.ndarray],
    labels: np.ndarray,
    steps: int = 10,
) -> dict:
    """Accuracy at every weight of a grid, and a tuned but honest number.

    Returns:
        `grid` (weights and measures), `best` of it (tuned on the videos it
        is measured on: an upper bound) and `held_out` (see HELD_OUT_NOTE;
        None for fewer than two videos).
    """
    grid = weight_grid(len(values), steps)
    best = _best(grid, values, labels)
    held_out = None
    if len(keys) > 1:
        fused = np.empty_like(values[0])
        half = halves(keys)
        used = []
        for scored in (half, ~half):
            tuned = _best(grid, [v[~scored] for v in values], labels[~scored])
            fused[scored] = fuse([v[scored] for v in values], tuned)
            used.append(tuned.tolist())
        held_out = {
            'note': HELD_OUT_NOTE,
            'weights': used,
            **measure(fused, labels),
        }
    return {
        'note': SWEEP_NOTE,
        'grid': [
            {'weights': w.tolist(), **measure(fuse(values, w), labels)}
            for w in grid
        ],
        'best': {
            'note': SWEEP_NOTE,
            'weights': best.tolist(),
            **measure(fuse(values, best), labels),
        },
        'held_out': held_out,
    }


def _best(
    grid: np.ndarray, values: Sequence[np.ndarray], labels: np.ndarray
) -> np.ndarray:
    """Highest top-1; among equals the weights nearest to equal ones."""

    def rank(weights: np.ndarray) -> tuple[int, float]:
        fused = fuse(values, weights)
        hits = int((np.argsort(fused, axis=1)[:, -1] == labels).sum())
        return hits, -float(np.square(weights - weights.mean()).sum())

    return max(grid, key=rank)
