"""Average precision (AP), and the greedy matching that it is taken of."""

import numpy as np

KINDS = ('area', 'voc')


def average_precision(
    hits: np.ndarray, num_truths: int, kind: str = 'area'
) -> float:
    """Average precision of detections from the surest to the least sure.

    'area' is the area under the precision-recall curve by trapezoids,
    beginning at precision 1 and recall 0, as the ACT detector's code (and
    MOC's after it) has it. 'voc' first raises each precision to the highest
    one at any larger recall (PASCAL VOC from 2010 on; Saha et al., Singh et
    al. and the stock MultiSports metric).

    Args:
        hits: (n,) bool, whether the detection of that rank is right.
        num_truths: How many there are to find, at least 1.
        kind: 'area' or 'voc'.
    """
    places = np.flatnonzero(hits)
    if not len(places):
        return 0.0
    found = np.arange(1, len(places) + 1)
    precision = found / (places + 1)
    # recall moves only at hits, by 1 / num_truths each
    if kind == 'voc':
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float(envelope.sum() / num_truths)
    # precision one rank earlier: found - 1 of places, or 1 at the start
    before = np.where(places > 0, (found - 1) / np.maximum(places, 1), 1)
    return float((precision + before).sum() / 2 / num_truths)


def ranked_ap(
    scores: np.ndarray, hits: np.ndarray, num_truths: int, kind: str
) -> list[float]:
    """AP at T thresholds of (n,) scores that are right or not: (T, n) hits.

    Equal scores rank in the order that they come in.
    """
    order = np.argsort(-scores, kind='stable')
    return [average_precision(hit[order], num_truths, kind) for hit in hits]


def greedy_match(
    worth: np.ndarray, threshold: float | np.ndarray
) -> np.ndarray:
    """Which truth each detection takes: (N, D) int64, its index, or -1.

    From the first rank on, a detection takes the best truth that is free,
    if it is worth at least the threshold. (Linking lets tubes take boxes.)

    Args:
        worth: (N, D, G) of N groups: D detections by rank, G truths.
        threshold: 0 or more; one number, or (N,) one for each group.
    """
    groups, detections, truths = worth.shape
    taken = np.full((groups, detections), -1)
    if not truths:
        return taken
    free = np.ones((groups, truths), bool)
    group = np.arange(groups)
    for rank in range(detections):
        mine = np.where(free, worth[:, rank], -1.0)
        best = mine.argmax(1)
        ok = mine[group, best] >= threshold
        taken[ok, rank] = best[ok]
        free[group[ok], best[ok]] = False
    return taken
