"""Accuracy of class scores, measured as the stock metrics do."""

import numpy as np


def predicted_classes(values: np.ndarray) -> np.ndarray:
    """(V, K) scores -> V classes; ties fall as in the stock metrics."""
    return np.argsort(values, axis=1)[:, -1]


def class_accuracies(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(K,) top-1 accuracy within each class; NaN for a class unseen."""
    number = values.shape[1]
    hits = labels[predicted_classes(values) == labels]
    seen = np.bincount(labels, minlength=number)
    right = np.bincount(hits, minlength=number)
    return np.divide(right, seen, out=np.full(number, np.nan), where=seen > 0)


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
