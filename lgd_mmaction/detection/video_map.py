"""Video-AP: are whole tubes right, in space and in time?"""

from collections.abc import Sequence

import numpy as np

from lgd_mmaction.detection.annotations import Tube
from lgd_mmaction.detection.average_precision import greedy_match, ranked_ap
from lgd_mmaction.detection.boxes import box_iou
from lgd_mmaction.detection.detection_set import DetectionSet
from lgd_mmaction.detection.linking import Linking, link_tubes
from lgd_mmaction.detection.tubes import Trimming, TubeSet, trim_tubes


def video_ap(
    detections: DetectionSet,
    thresholds: Sequence[float],
    linking: Linking | None = None,
    trimming: Trimming | None = None,
    ap: str = 'area',
) -> np.ndarray:
    """Average precision of each class over all tubes, at T overlaps.

    Two tubes overlap by the share of common frames in all frames of
    either, times the mean overlap of their boxes over the common frames
    (Saha et al., ACT). The score of a tube is the mean of its frames.
    Matching is that of frame_ap; equal scores rank by video, first frame,
    then the order in which the tubes began.

    Args:
        detections: Detections and truth.
        thresholds: T overlaps in (0, 1].
        linking: Settings; None for the defaults.
        trimming: Settings; None for no trimming, as for J-HMDB.
        ap: 'area' or 'voc', see average_precision.

    Returns:
        (T, K) float64; NaN for classes that have no annotated tube.
    """
    linking = linking or Linking()
    parts = []
    for video, annotated in enumerate(detections.videos):
        tubes = link_tubes(detections, video, linking)
        if trimming is not None:
            tubes = trim_tubes(tubes, trimming)
        score = tubes.mean_scores()
        good = np.diff(tubes.offset) >= linking.min_length
        good &= score >= linking.min_score
        # in the order in which equal scores rank
        order = np.lexsort((tubes.start, tubes.label))
        order = order[good[order]]
        tubes, score = tubes.take(order), score[order]
        hits = _hits(tubes, score, annotated.tubes, np.array(thresholds))
        parts.append((tubes.label, score, hits))
    label, score, hits = map(np.concatenate, zip(*parts, strict=True))
    _, truths = detections.count_truths()
    out = np.full((len(thresholds), len(truths)), np.nan)
    for k in np.flatnonzero(truths):
        mine = label == k
        out[:, k] = ranked_ap(score[mine], hits[mine].T, truths[k], ap)
    return out


def _hits(
    tubes: TubeSet,
    score: np.ndarray,
    truths: Sequence[Tube],
    thresholds: np.ndarray,
) -> np.ndarray:
    """(n, T) bool, which tubes of a video are right at each threshold."""
    hits = np.zeros((len(tubes), len(thresholds)), bool)
    for label in {truth.label for truth in truths}:
        mine = np.flatnonzero(tubes.label == label)
        mine = mine[np.argsort(-score[mine], kind='stable')]
        overlaps = np.stack(
            [tube_iou(tubes, t)[mine] for t in truths if t.label == label],
            axis=1,
        )
        every = np.broadcast_to(overlaps, (len(thresholds), *overlaps.shape))
        hits[mine] = (greedy_match(every, thresholds) >= 0).T
    return hits


def tube_iou(tubes: TubeSet, truth: Tube) -> np.ndarray:
    """(n,) overlap of each tube with one other."""
    start, stop = tubes.start, tubes.start + np.diff(tubes.offset)
    begin = np.maximum(start, truth.start)
    common = np.maximum(np.minimum(stop, truth.stop) - begin, 0)
    either = np.maximum(stop, truth.stop) - np.minimum(start, truth.start)
    # the common frames, one tube after the other
    tube = np.repeat(np.arange(len(start)), common)
    shift = np.arange(len(tube)) - (np.cumsum(common) - common)[tube]
    frame = begin[tube] + shift
    mine = tubes.boxes[tubes.offset[tube] + frame - start[tube]]
    other = truth.boxes.astype(np.float64)[frame - truth.start]
    total = np.bincount(tube, box_iou(mine, other), len(start))
    return total / np.maximum(common, 1) * (common / either)
