"""Accuracy of class scores, measured as the stock metrics do."""

import numpy as np


def confusion(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(K, K) counts of (V, K) scores: rows are true, columns predicted."""
    # ties fall as in the stock metrics
    predicted = np.argsort(values, axis=1)[:, -1]
    matrix = np.zeros((values.shape[1],) * 2, np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def class_accuracies(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(K,) top-1 accuracy within each class; NaN for a class unseen."""
    matrix = confusion(values, labels)
    with np.errstate(invalid='ignore'):
        return matrix.diagonal() / matrix.sum(1)


def measure(values: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Top-1, top-5 and mean class accuracy, as shares of one.

    The mean is over the classes that have a video.
    """
    hits = np.argsort(values, axis=1)[:, :-6:-1] == labels[:, None]
    return {
        'top1': float(hits[:, 0].mean()),
        'top5': float(hits.any(axis=1).mean()),
        'mean_class': float(np.nanmean(class_accuracies(values, labels))),
    }


def wilson(right: int, videos: int) -> tuple[float, float]:
    """95 % interval of the share ``right / videos``.

    It takes videos for independent; where several are of one recording, the
    truth is wider.
    """
    from scipy.stats import binomtest  # slow to import

    interval = binomtest(right, videos).proportion_ci(method='wilson')
    return float(interval.low), float(interval.high)
