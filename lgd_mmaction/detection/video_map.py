"""Video-mAP: are whole tubes right, in space and in time?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lgd_mmaction.detection.annotations import Tube
from lgd_mmaction.detection.average_precision import average_precision
from lgd_mmaction.detection.boxes import box_iou
from lgd_mmaction.detection.detection_set import DetectionSet
from lgd_mmaction.detection.forked import map_forked, usable_cores
from lgd_mmaction.detection.tube_linking import (
    Linking,
    TubeSet,
    fill_tubes,
    find_links,
    select_spans,
)
from lgd_mmaction.detection.tube_trimming import Trimming, trim_tubes

# boxes (rows x classes) that are linked at a time: bounds the memory
GROUP = 3_000_000


@dataclass
class RankedTubes:
    """What is left of n detected tubes once they have met the truth.

    Attributes:
        video, label, start: (n,) int, order of the videos included.
        score: (n,) float64.
        overlaps: Overlap with each annotated tube of its video and class,
            in their order, by the index of the tube; tubes that overlap
            none are not in it.
    """

    video: np.ndarray
    label: np.ndarray
    start: np.ndarray
    score: np.ndarray
    overlaps: dict[int, np.ndarray]


def video_ap(
    data: DetectionSet,
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
    then the order in which the tubes began.

    Args:
        data: Detections and truth.
        thresholds: Overlaps (T,), each in (0, 1].
        linking: Settings; None for the defaults.
        trimming: Settings; None for no trimming, as for J-HMDB.
        ap: 'area' or 'voc', see average_precision.
        pixel_offset: As in box_iou.

    Returns:
        (T, K) float64; NaN for classes that have no annotated tube.
    """
    tubes = build_tubes(data, linking or Linking(), trimming, pixel_offset)
    return rank_tubes(data, tubes, thresholds, ap)


def build_tubes(
    data: DetectionSet,
    linking: Linking,
    trimming: Trimming | None,
    pixel_offset: float = 0.0,
) -> RankedTubes:
    """Link, trim, filter, and compare with the truth, group by group.

    The groups are shared among the processor's cores.
    """
    cores = usable_cores()
    groups = _groups(data, GROUP // cores)

    def build(group: np.ndarray) -> RankedTubes:
        return _build_group(data, group, linking, trimming, pixel_offset)

    every = map_forked(build, groups, cores)
    columns = [
        np.concatenate([getattr(tubes, name) for tubes in every])
        for name in ('video', 'label', 'start', 'score')
    ]
    overlaps, total = {}, 0
    for tubes in every:
        for index, found in tubes.overlaps.items():
            overlaps[total + index] = found
        total += len(tubes.score)
    return RankedTubes(*columns, overlaps)


def _build_group(
    data: DetectionSet,
    group: np.ndarray,
    linking: Linking,
    trimming: Trimming | None,
    pixel_offset: float,
) -> RankedTubes:
    parts, overlaps, total = [], {}, 0
    wanted = np.zeros((len(data.videos), len(data.classes)), bool)
    for v in group.tolist():
        wanted[v, [tube.label for tube in data.videos[v].tubes]] = True
    links = find_links(data, group, linking, pixel_offset)
    meets = wanted[links.video, links.label]
    for with_truth in (True, False):
        # of tubes that can only be wrong, the score is enough
        tubes = fill_tubes(data, links.select(meets == with_truth), with_truth)
        if trimming is not None:
            tubes = trim_tubes(tubes, trimming)
        tubes, score = _filter(tubes, linking)
        if with_truth:
            for index, found in _meet_truth(data, group, tubes, pixel_offset):
                overlaps[total + index] = found
        total += len(tubes)
        parts.append((tubes.video, tubes.label, tubes.start, score))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return RankedTubes(*columns, overlaps)


def _filter(tubes: TubeSet, linking: Linking) -> tuple[TubeSet, np.ndarray]:
    """Tubes that are long and sure enough, and their scores."""
    score, length = tubes.mean_scores(), np.diff(tubes.offset)
    good = (length >= linking.min_length) & (score >= linking.min_score)
    if good.all():
        return tubes, score
    keep = np.flatnonzero(good)
    tubes = select_spans(tubes, keep, tubes.offset[keep], length[keep])
    return tubes, score[keep]


def rank_tubes(
    data: DetectionSet,
    tubes: RankedTubes,
    thresholds: Sequence[float],
    ap: str = 'area',
) -> np.ndarray:
    """(T, K) average precision; see video_ap."""
    truths = np.zeros(len(data.classes), np.int64)
    for video in data.videos:
        for tube in video.tubes:
            truths[tube.label] += 1
    # stable: tubes of one video and class are in order of start already,
    # but for runs of one tube, which `start` puts in place
    order = np.lexsort((tubes.start, tubes.video, -tubes.score, tubes.label))
    label = tubes.label[order]
    meets = np.zeros(len(order), bool)
    meets[list(tubes.overlaps)] = True
    out = np.full((len(thresholds), len(data.classes)), np.nan)
    for k in np.flatnonzero(truths):
        first, last = np.searchsorted(label, [k, k + 1])
        mine = order[first:last]
        close = np.flatnonzero(meets[mine])
        for t, threshold in enumerate(thresholds):
            hits = _match(mine, close, tubes, threshold)
            out[t, k] = average_precision(hits, int(truths[k]), ap)
    return out


def _match(
    ranked: np.ndarray, close: np.ndarray, tubes: RankedTubes, threshold: float
) -> np.ndarray:
    """(n,) bool, which of the ranked tubes are right.

    Args:
        ranked: (n,) indices of tubes of one class.
        close: Ranks of those that overlap any truth.
    """
    hits = np.zeros(len(ranked), bool)
    taken: dict[int, np.ndarray] = {}
    for rank in close.tolist():
        index = int(ranked[rank])
        overlaps = tubes.overlaps[index]
        if overlaps.max() < threshold:
            continue
        video = int(tubes.video[index])
        gone = taken.setdefault(video, np.zeros(len(overlaps), bool))
        mine = np.where(gone, -1.0, overlaps)
        best = int(mine.argmax())
        if mine[best] >= threshold:
            hits[rank] = gone[best] = True
    return hits


def _groups(data: DetectionSet, limit: int) -> list[np.ndarray]:
    """Indices of videos of like length, `limit` boxes x classes at most."""
    tested = np.diff(data.video_offset)
    order = np.argsort(-tested, kind='stable')
    rows = np.diff(data.offset[data.video_offset])
    cost = (rows + tested)[order] * len(data.classes)
    groups, begin, total = [], 0, 0
    for i, one in enumerate(cost.tolist()):
        if i > begin and total + one > limit:
            groups.append(order[begin:i])
            begin, total = i, 0
        total += one
    groups.append(order[begin:])
    return groups


def _meet_truth(
    data: DetectionSet,
    group: Sequence[int],
    tubes: TubeSet,
    pixel_offset: float,
):
    """Yields (index, overlaps with the truth) of tubes that overlap any."""
    key = tubes.video * len(data.classes) + tubes.label  # ascending
    for v in sorted(int(v) for v in group):
        truths: dict[int, list[Tube]] = {}
        for tube in data.videos[v].tubes:
            truths.setdefault(tube.label, []).append(tube)
        for label, mine in truths.items():
            k = v * len(data.classes) + label
            first, last = np.searchsorted(key, [k, k + 1])
            found = np.stack(
                [
                    tube_overlaps(tubes, first, last, truth, pixel_offset)
                    for truth in mine
                ],
                axis=1,
            )
            for i in np.flatnonzero(found.any(1)):
                yield int(first + i), found[i]


def tube_overlaps(
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
