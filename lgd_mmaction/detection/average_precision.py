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
    before = np.ones(len(places))
    later = places > 0
    before[later] = (found[later] - 1) / places[later]
    return float((precision + before).sum() / 2 / num_truths)


def greedy_match(
    overlaps: np.ndarray, threshold: float | np.ndarray
) -> np.ndarray:
    """Which detections are right: each takes the best truth that is free.

    From the first rank on, a detection takes the truth that it overlaps
    most among those not taken, if by at least the threshold.

    Args:
        overlaps: (N, D, G) of N groups: D detections by rank, G truths.
        threshold: Above 0; one number, or (N,) one for each group.

    Returns:
        (N, D) bool.
    """
    free = np.ones((len(overlaps), overlaps.shape[2]), bool)
    hit = np.zeros(overlaps.shape[:2], bool)
    groups = np.arange(len(overlaps))
    for rank in range(overlaps.shape[1]):
        mine = np.where(free, overlaps[:, rank], -1.0)
        best = mine.argmax(1)
        ok = mine[groups, best] >= threshold
        hit[:, rank] = ok
        free[groups[ok], best[ok]] = False
    return hit
