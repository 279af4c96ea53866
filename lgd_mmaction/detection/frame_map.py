"""Frame-AP: are the boxes of each single frame right?"""

from collections.abc import Sequence

import numpy as np

from lgd_mmaction.detection.average_precision import greedy_match, ranked_ap
from lgd_mmaction.detection.boxes import box_iou, nms
from lgd_mmaction.detection.detection_set import DetectionSet


def frame_ap(
    detections: DetectionSet,
    thresholds: Sequence[float] = (0.5,),
    nms_iou: float | None = None,
    ap: str = 'area',
) -> np.ndarray:
    """Average precision of each class over all frames, at T overlaps.

    Detections of a class are ranked over all frames; from the surest on,
    each takes the annotated box of its frame and class that it overlaps
    most among those not taken, if by at least the threshold. Any other
    detection is wrong, a second one of the same actor included. Equal
    scores rank by video, frame and row.

    Args:
        detections: Detections and truth.
        thresholds: T overlaps in (0, 1].
        nms_iou: Class-wise suppression before; None for none.
        ap: 'area' or 'voc', see average_precision.

    Returns:
        (T, K) float64; NaN for classes that have no annotated box.
    """
    kept = np.zeros(detections.scores.shape, bool)
    hits = np.zeros((len(thresholds), *kept.shape), bool)
    for video in range(len(detections.videos)):
        first, last = detections.video_offset[video : video + 2]
        # (frames, K, D) rows by rank, -1 as padding
        ranked = nms(detections, first, last, nms_iou)
        there = ranked >= 0
        kept[ranked[there], np.nonzero(there)[1]] = True
        _match(detections, video, ranked, thresholds, hits)
    truths, _ = detections.count_truths()
    out = np.full((len(thresholds), len(truths)), np.nan)
    for k in np.flatnonzero(truths):
        mine = kept[:, k]
        scores = detections.scores[mine, k]
        out[:, k] = ranked_ap(scores, hits[:, mine, k], truths[k], ap)
    return out


def _match(
    detections: DetectionSet,
    video: int,
    ranked: np.ndarray,
    thresholds: Sequence[float],
    hits: np.ndarray,
) -> None:
    """Set `hits` (T, M, K) of a video's detections: those that are right."""
    first, last = detections.video_offset[video : video + 2]
    tested = detections.frame[first:last]
    # a group: what is annotated of a class in a frame, in the order of tubes
    groups: dict[tuple[int, int], list[np.ndarray]] = {}
    for tube in detections.videos[video].tubes:
        for i in range(*np.searchsorted(tested, [tube.start, tube.stop])):
            box = tube.boxes[tested[i] - tube.start]
            groups.setdefault((i, tube.label), []).append(box)
    if not groups:
        return
    frame, label = np.array([*groups]).T
    most = max(map(len, groups.values()))
    truth = np.zeros((len(groups), most, 4))  # (N, G, 4)
    for padded, boxes in zip(truth, groups.values(), strict=True):
        padded[: len(boxes)] = boxes
    rows = ranked[frame, label]  # (N, D)
    overlaps = box_iou(detections.boxes[rows][:, :, None], truth[:, None])
    # the boxes that pad a group have no area, so they overlap nothing
    overlaps[rows < 0] = -1
    for hit, threshold in zip(hits, thresholds, strict=True):
        group, rank = np.nonzero(greedy_match(overlaps, threshold) >= 0)
        hit[rows[group, rank], label[group]] = True
