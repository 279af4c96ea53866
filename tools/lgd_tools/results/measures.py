"""Accuracy of class scores, measured as the stock metrics do."""

import numpy as np


def topk_accuracy(values: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of videos whose label is among the k best scores."""
    # ties fall as in the stock metric (argsort, taken from the end)
    best = np.argsort(values, axis=1)[:, -k:]
    return float((best == labels[:, None]).any(axis=1).mean())


def class_accuracies(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(K,) top-1 accuracy within each class; NaN for a class unseen."""
    hits = np.argsort(values, axis=1)[:, -1] == labels
    number = values.shape[1]
    seen = np.bincount(labels, minlength=number)
    right = np.bincount(labels[hits], minlength=number)
    return np.divide(right, seen, out=np.full(number, np.nan), where=seen > 0)


def measure(values: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Top-1, top-5 and mean class accuracy, as shares of one.

    The mean is over the classes that have a video.
    """
    return {
        'top1': topk_accuracy(values, labels, 1),
        'top5': topk_accuracy(values, labels, 5),
        'mean_class': float(np.nanmean(class_accuracies(values, labels))),
    }
