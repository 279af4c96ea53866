"""Frame-mAP: are the boxes of each single frame right?"""

from collections.abc import Sequence

import numpy as np

from lgd_mmaction.detection.average_precision import average_precision
from lgd_mmaction.detection.boxes import box_iou
from lgd_mmaction.detection.detection_set import DetectionSet
from lgd_mmaction.detection.suppression import CHUNK, ranked_boxes


def frame_ap(
    data: DetectionSet,
    thresholds: Sequence[float] = (0.5,),
    nms_iou: float | None = None,
    ap: str = 'area',
    pixel_offset: float = 0.0,
) -> np.ndarray:
    """Average precision of each class over all frames.

    Detections of a class are ranked over all frames; from the surest on,
    each takes the annotated box of its frame and class that it overlaps
    most among those not taken, if by at least the threshold. Any other
    detection is wrong, a second one of the same actor included. Equal
    scores rank by video, frame and row.

    Args:
        data: Detections and truth.
        thresholds: Overlaps (T,), each in (0, 1].
        nms_iou: Class-wise suppression before; None for none.
        ap: 'area' or 'voc', see average_precision.
        pixel_offset: As in box_iou.

    Returns:
        (T, K) float64; NaN for classes that have no annotated box.
    """
    rows, classes = data.scores.shape
    kept = _kept(data, nms_iou, pixel_offset)
    hits = np.zeros((len(thresholds), rows, classes), bool)
    for index, overlaps in _overlaps(data, kept, pixel_offset):
        row, label = index
        for hit, threshold in zip(hits, thresholds, strict=True):
            ok = _match(overlaps, threshold)
            hit[row[ok], label[ok]] = True
    truths = count_frame_truths(data)
    out = np.full((len(thresholds), classes), np.nan)
    for label in np.flatnonzero(truths):
        mine = np.flatnonzero(kept[:, label])
        # rows lie in the order video, frame, row already
        ranked = mine[np.argsort(-data.scores[mine, label], kind='stable')]
        for t in range(len(thresholds)):
            out[t, label] = average_precision(
                hits[t, ranked, label], int(truths[label]), ap
            )
    return out


def count_frame_truths(data: DetectionSet) -> np.ndarray:
    """(K,) annotated boxes of each class, untested frames included."""
    truths = np.zeros(len(data.classes), np.int64)
    for video in data.videos:
        for tube in video.tubes:
            truths[tube.label] += len(tube.boxes)
    return truths


def _kept(
    data: DetectionSet, nms_iou: float | None, pixel_offset: float
) -> np.ndarray:
    """(M, K) bool, what class-wise suppression leaves."""
    if nms_iou is None:
        return np.ones(data.scores.shape, bool)
    kept = np.zeros(data.scores.shape, bool)
    frames = len(data.frame)
    for first in range(0, frames, 4096):
        last = min(first + 4096, frames)
        rows = ranked_boxes(
            data, first, last, nms_iou, pixel_offset=pixel_offset
        )
        _, label, _ = np.nonzero(rows >= 0)
        kept[rows[rows >= 0], label] = True
    return kept


def _truth_groups(data: DetectionSet) -> tuple[np.ndarray, ...]:
    """Annotated boxes in tested frames, sorted by frame and class.

    Returns:
        (G,) tested frame, (G,) class, (G, 4) box; boxes of one frame and
        class in the order of the tubes.
    """
    frames, labels, boxes = [], [], []
    for v, video in enumerate(data.videos):
        first, last = data.video_offset[v], data.video_offset[v + 1]
        tested = data.frame[first:last]
        for tube in video.tubes:
            a, b = np.searchsorted(tested, [tube.start, tube.stop])
            frames.append(np.arange(first + a, first + b))
            labels.append(np.full(b - a, tube.label))
            boxes.append(tube.boxes[tested[a:b] - tube.start])
    frame = np.concatenate(frames)
    label = np.concatenate(labels)
    order = np.lexsort((label, frame))
    box = np.concatenate(boxes).astype(np.float64)
    return frame[order], label[order], box[order]


def _overlaps(data: DetectionSet, kept: np.ndarray, pixel_offset: float):
    """Overlap of detections and truth, in chunks of (frame, class) groups.

    Yields:
        (row, class) of each detection, both (N, D), and the overlaps
        (N, D, G): detections of a group by rank, -1 where there is no
        detection or no truth.
    """
    frame, label, truth = _truth_groups(data)
    if not len(frame):
        return
    new = np.r_[True, (np.diff(frame) != 0) | (np.diff(label) != 0)]
    begins = np.flatnonzero(new)
    sizes = np.diff(np.r_[begins, len(frame)])
    numbers = np.diff(data.offset)[frame[begins]]
    # groups of like size together, so that padding stays small
    order = np.lexsort((numbers, sizes))
    begins, sizes, numbers = begins[order], sizes[order], numbers[order]
    at = 0
    while at < len(begins):
        step = max(1, CHUNK // int(sizes[at] * max(1, numbers[at]) * 4))
        same = int(np.searchsorted(sizes, sizes[at], side='right'))
        end = min(at + step, same)
        # within one size, numbers grow: halve until the chunk is bounded
        while end - at > 1 and (end - at) * sizes[at] * numbers[end - 1] > max(
            CHUNK, sizes[at] * numbers[at] * 2
        ):
            end = at + (end - at) // 2
        depth = int(numbers[end - 1])
        group = begins[at:end]
        at = end
        if not depth:
            continue
        f, c = frame[group][:, None], label[group][:, None]
        rows = data.offset[f] + np.arange(depth)  # (N, D)
        there = rows < data.offset[f + 1]
        rows[~there] = 0
        there &= kept[rows, c]
        scores = np.where(there, data.scores[rows, c], -np.inf)
        rank = np.argsort(-scores, axis=1, kind='stable')
        rows = np.take_along_axis(rows, rank, 1)
        there = np.take_along_axis(there, rank, 1)
        targets = truth[group[:, None] + np.arange(int(sizes[at - 1]))]
        overlaps = box_iou(
            data.boxes[rows][:, :, None], targets[:, None], pixel_offset
        )
        overlaps[~there] = -1
        yield (rows, np.broadcast_to(c, rows.shape)), overlaps


def _match(overlaps: np.ndarray, threshold: float) -> np.ndarray:
    """(N, D) bool, which detections are right; overlaps (N, D, G)."""
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
