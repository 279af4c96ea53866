"""Video-AP: are whole tubes right, in space and in time?"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np

from lgd_mmaction.detection.annotations import Tube
from lgd_mmaction.detection.average_precision import greedy_match, ranked_ap
from lgd_mmaction.detection.boxes import box_iou
from lgd_mmaction.detection.detection_set import DetectionSet
from lgd_mmaction.detection.linking import Linking, link_tubes
from lgd_mmaction.detection.tubes import Trimming, TubeSet, trim_tubes

# a process is worth its start for so many frames; no more than this
FRAMES_A_PROCESS, MAX_PROCESSES = 20_000, 8


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
    work = partial(_rank, detections, linking, trimming, np.array(thresholds))
    parts = _map_videos(work, detections)
    label, score, hits = map(np.concatenate, zip(*parts, strict=True))
    _, truths = detections.count_truths()
    out = np.full((len(thresholds), len(truths)), np.nan)
    for k in np.flatnonzero(truths):
        mine = label == k
        out[:, k] = ranked_ap(score[mine], hits[mine].T, truths[k], ap)
    return out


def _map_videos(work: Callable[[int], tuple], data: DetectionSet) -> list:
    """`work` of every video; of many frames in forks, which share the data."""
    videos = range(len(data.videos))
    wanted = 1 + len(data.frame) // FRAMES_A_PROCESS
    processes = min(wanted, os.cpu_count() or 1, MAX_PROCESSES)
    if processes == 1:
        return [work(video) for video in videos]
    fork = get_context('fork')
    with ProcessPoolExecutor(processes, fork, _share, (work,)) as pool:
        return list(pool.map(_call, videos, chunksize=8))


def _share(work: Callable[[int], tuple]) -> None:
    global _work
    _work = work


def _call(video: int) -> tuple:
    return _work(video)


def _rank(
    detections: DetectionSet,
    linking: Linking,
    trimming: Trimming | None,
    thresholds: np.ndarray,
    video: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n,), scores (n,) and hits (n, T) of the tubes of a video.

    They are in the order in which equal scores rank.
    """
    tubes = link_tubes(detections, video, linking)
    if trimming is not None:
        tubes = trim_tubes(tubes, trimming)
    score = tubes.mean_scores()
    good = np.diff(tubes.offset) >= linking.min_length
    good &= score >= linking.min_score
    order = np.lexsort((tubes.start, tubes.label))
    order = order[good[order]]
    tubes, score = tubes.take(order), score[order]
    truths = detections.videos[video].tubes
    return tubes.label, score, _hits(tubes, score, truths, thresholds)


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
