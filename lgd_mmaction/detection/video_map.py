"""Video-AP: are whole tubes right, in space and in time?"""

from collections.abc import Sequence

import numpy as np

from lgd_mmaction.detection.annotations import Tube
from lgd_mmaction.detection.average_precision import (
    average_precision,
    greedy_match,
)
from lgd_mmaction.detection.boxes import box_iou
from lgd_mmaction.detection.detection_set import DetectionSet
from lgd_mmaction.detection.forked import map_forked, usable_cores
from lgd_mmaction.detection.linking import Linking, link_tubes
from lgd_mmaction.detection.tubes import Trimming, TubeSet, trim_tubes

# boxes (rows x classes) that are linked at a time: bounds the memory
GROUP = 3_000_000


def video_ap(
    detections: DetectionSet,
    thresholds: Sequence[float],
    linking: Linking | None = None,
    trimming: Trimming | None = None,
    ap: str = 'area',
    pixel_offset: float = 0.0,
) -> np.ndarray:
    """Average precision of each class over all tubes.

    Two tubes overlap by the share of common frames in all frames of
    either, times the mean overlap of their boxes over the common frames
    (Saha et al., ACT). The score of a tube is the mean of its frames.
    Matching is that of frame_ap; equal scores rank by video, first frame,
    then the order in which the tubes began. Groups of videos are shared
    among the processor's cores.

    Args:
        detections: Detections and truth.
        thresholds: Overlaps (T,), each in (0, 1].
        linking: Settings; None for the defaults.
        trimming: Settings; None for no trimming, as for J-HMDB.
        ap: 'area' or 'voc', see average_precision.
        pixel_offset: As in box_iou.

    Returns:
        (T, K) float64; NaN for classes that have no annotated tube.
    """
    linking = linking or Linking()

    def measure(videos: np.ndarray) -> tuple[np.ndarray, ...]:
        tubes = link_tubes(detections, videos, linking, pixel_offset)
        if trimming is not None:
            tubes = trim_tubes(tubes, trimming)
        tubes = tubes.drop(linking.min_length, linking.min_score)
        score = tubes.mean_scores()
        hits = _hits(detections, videos, tubes, thresholds, pixel_offset)
        return tubes.label, tubes.video, tubes.start, score, hits

    cores = usable_cores()
    groups = _groups(detections, GROUP // cores)
    parts = map_forked(measure, groups, cores)
    label, video, start, score, hits = map(
        np.concatenate, zip(*parts, strict=True)
    )
    # stable: tubes of one video and class are in order of start already,
    # but for runs of one tube, which `start` puts in place
    order = np.lexsort((start, video, -score, label))
    label, hits = label[order], hits[order]
    _, truths = detections.count_truths()
    out = np.full((len(thresholds), len(truths)), np.nan)
    for k in np.flatnonzero(truths):
        first, last = np.searchsorted(label, [k, k + 1])
        for t in range(len(thresholds)):
            out[t, k] = average_precision(
                hits[first:last, t], int(truths[k]), ap
            )
    return out


def _groups(detections: DetectionSet, limit: int) -> list[np.ndarray]:
    """Indices of videos of like length, `limit` boxes x classes at most."""
    tested = np.diff(detections.video_offset)
    order = np.argsort(-tested, kind='stable')
    rows = np.diff(detections.offset[detections.video_offset])
    cost = (rows + tested)[order] * len(detections.classes)
    groups, begin, total = [], 0, 0
    for i, one in enumerate(cost.tolist()):
        if i > begin and total + one > limit:
            groups.append(order[begin:i])
            begin, total = i, 0
        total += one
    groups.append(order[begin:])
    return groups


def _hits(
    detections: DetectionSet,
    videos: Sequence[int],
    tubes: TubeSet,
    thresholds: Sequence[float],
    pixel_offset: float,
) -> np.ndarray:
    """(n, T) bool, which tubes are right at each threshold."""
    hits = np.zeros((len(tubes), len(thresholds)), bool)
    score, classes = tubes.mean_scores(), len(detections.classes)
    key = tubes.video * classes + tubes.label  # ascending
    for v in videos:
        truths: dict[int, list[Tube]] = {}
        for tube in detections.videos[v].tubes:
            truths.setdefault(tube.label, []).append(tube)
        for label, mine in truths.items():
            k = v * classes + label
            first, last = np.searchsorted(key, [k, k + 1])
            overlaps = np.stack(
                [tube_iou(tubes, first, last, t, pixel_offset) for t in mine],
                axis=1,
            )
            # few overlap any truth
            near = np.flatnonzero(overlaps.any(1))
            order = np.lexsort(
                (tubes.start[first + near], -score[first + near])
            )
            near = near[order]
            every = np.broadcast_to(
                overlaps[near], (len(thresholds), len(near), len(mine))
            )
            hits[first + near] = greedy_match(every, np.array(thresholds)).T
    return hits


def tube_iou(
    tubes: TubeSet,
    first: int,
    last: int,
    truth: Tube,
    pixel_offset: float = 0.0,
) -> np.ndarray:
    """(last - first,) overlap of each tube first : last with one other."""
    start = tubes.start[first:last]
    offset = tubes.offset[first : last + 1]
    stop = start + np.diff(offset)
    begin = np.maximum(start, truth.start)
    common = np.maximum(np.minimum(stop, truth.stop) - begin, 0)
    either = np.maximum(stop, truth.stop) - np.minimum(start, truth.start)
    # rows of the common frames, one tube after the other
    tube = np.repeat(np.arange(len(start)), common)
    shift = np.arange(len(tube)) - np.repeat(
        np.cumsum(common) - common, common
    )
    frame = begin[tube] + shift
    mine = tubes.boxes[offset[:-1][tube] + frame - start[tube]]
    other = truth.boxes.astype(np.float64)[frame - truth.start]
    overlap = box_iou(mine, other, pixel_offset)
    total = np.bincount(tube, overlap, len(start))
    mean = total / np.maximum(common, 1)
    return mean * (common / either)
