"""Detections of one subset, checked against its annotation and in order.

What the evaluation protocol leaves open about wrong input is decided here,
once, for every measure: each thing that is not evaluated as it came is
counted (:data:`FAULTS`), or an error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lgd_mmaction.detection.annotations import TubeAnnotations, TubeVideo
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.errors import DataError

# rounding of float32 fractions is no clipping
TOLERANCE = 1e-5
# what is not evaluated as it came; all of it is zero in a clean run
FAULTS = {
    'missing_frames': 'frames were not tested; what is annotated in them '
    'counts as not found',
    'videos_without_boxes': 'videos have no detected box',
    'clipped_boxes': 'boxes were cut at the edge of the frame',
    'empty_boxes': 'boxes without area, or outside the frame, were left out',
}


@dataclass
class DetectionSet:
    """Checked detections in the order video, frame, row of the table."""

    videos: Sequence[TubeVideo]  # the V of the subset
    classes: Sequence[str]  # K names
    boxes: np.ndarray  # (M, 4) float64 pixels, inside the frame
    scores: np.ndarray  # (M, K) float32
    frame: np.ndarray  # (P,) int, the frames that were tested, in order
    offset: np.ndarray  # (P + 1,): frame p has rows offset[p] : offset[p + 1]
    video_offset: np.ndarray  # (V + 1,): likewise, the frames of a video
    counts: dict[str, int]  # of `videos`, `frames`, `boxes`, and FAULTS

    def count_truths(self) -> tuple[np.ndarray, np.ndarray]:
        """(K,) annotated boxes and (K,) annotated tubes of each class."""
        boxes, tubes = np.zeros((2, len(self.classes)), np.int64)
        for video in self.videos:
            for tube in video.tubes:
                boxes[tube.label] += len(tube.boxes)
                tubes[tube.label] += 1
        return boxes, tubes


def check_detections(
    table: BoxTable,
    annotations: TubeAnnotations,
    split: int | str,
    subset: str = 'test',
) -> DetectionSet:
    """Check a table of detections against the videos of a subset.

    Args:
        table: Detections, in any order of rows. Without `frames_video` the
            tested frames are those that have a box.
        annotations: The annotation file.
        split, subset: Which videos of it.

    Raises:
        DataError: A video or frame is unknown, the number of classes is
            wrong, a frame was tested twice, a box or score is not finite, a
            box has x2 < x1, or a score is negative.
    """
    videos = annotations.subset(split, subset)
    where = f'{annotations.dataset} {split}/{subset}'
    lengths = np.array([video.num_frames for video in videos], np.int64)
    # frames are numbered through all videos
    starts = np.concatenate([[0], np.cumsum(lengths)])

    def named(number: int) -> str:
        v = int(np.searchsorted(starts, number, side='right')) - 1
        return f'frame {number - starts[v]} of {videos[v].name}'

    classes = len(annotations.classes)
    if table.scores.shape[1] != classes:
        raise DataError(
            f'the detections have {table.scores.shape[1]} scores a box, '
            f'{annotations.dataset} has {classes} classes; set num_classes '
            'of the bbox head to it, without a background class'
        )
    position = _positions(table, videos, annotations, where)

    def numbered(video: np.ndarray, frame: np.ndarray) -> np.ndarray:
        video = position[video]
        wrong = (frame < 0) | (frame >= lengths[video])
        if wrong.any():
            first = int(wrong.argmax())
            raise DataError(
                f'{int(wrong.sum())} detections or tested frames lie outside '
                f'their video, first frame {int(frame[first])} of '
                f'{videos[video[first]].name}, which has frames '
                f'0..{lengths[video[first]] - 1}; frames count from 0'
            )
        return starts[video] + frame

    number = numbered(table.video, table.frame)
    tested = np.unique(number)
    if table.frames_video is not None:
        listed = numbered(table.frames_video, table.frames_frame)
        tested, times = np.unique(listed, return_counts=True)
        stray = np.setdiff1d(number, tested)
        for wrong, what in (
            (tested[times > 1], 'were tested twice'),
            (stray, 'have boxes but are not listed as tested'),
        ):
            if len(wrong):
                raise DataError(
                    f'{len(wrong)} frames {what}, first {named(wrong[0])}; '
                    'test each once, and write the file again'
                )

    _check_numbers(table, number, named)
    fractions = table.boxes.astype(np.float64)
    boxes = np.clip(fractions, 0, 1)
    solid = (boxes[:, 2:] > boxes[:, :2]).all(1)
    cut = (np.abs(boxes - fractions) > TOLERANCE).any(1)
    video = position[table.video]
    boxes *= np.array([[v.width, v.height] * 2 for v in videos])[video]
    rows = np.flatnonzero(solid)
    have = np.bincount(video[rows], minlength=len(videos))
    counts = {
        'videos': len(videos),
        'frames': starts[-1],
        'boxes': len(table),
        'missing_frames': starts[-1] - len(tested),
        'videos_without_boxes': (have == 0).sum(),
        'clipped_boxes': (solid & cut).sum(),
        'empty_boxes': (~solid).sum(),
    }
    rows = rows[np.argsort(number[rows], kind='stable')]
    ends = np.searchsorted(number[rows], tested, side='right')
    owner = np.searchsorted(starts, tested, side='right') - 1
    return DetectionSet(
        videos,
        annotations.classes,
        boxes[rows],
        table.scores[rows],
        tested - starts[owner],
        np.concatenate([[0], ends]),
        np.searchsorted(tested, starts),
        {name: int(number) for name, number in counts.items()},
    )


def _positions(
    table: BoxTable,
    videos: Sequence[TubeVideo],
    annotations: TubeAnnotations,
    where: str,
) -> np.ndarray:
    """Index into `videos` of each name of the table, -1 for unused ones."""
    index = {video.name: i for i, video in enumerate(videos)}
    names = [str(name) for name in table.videos]
    if len(set(names)) != len(names):
        raise DataError('the detections list a video name twice')
    used = np.union1d(
        table.video, () if table.frames_video is None else table.frames_video
    ).astype(np.int64)
    unknown = [names[i] for i in used if names[i] not in index]
    if unknown:
        hint = '; names are <class>/<video> without a suffix'
        if unknown[0] in annotations.videos:
            hint = (
                ', which is in the annotation file, but not in this subset; '
                'test the subset that the metric is given'
            )
        raise DataError(
            f'{len(unknown)} videos of the detections are not in {where}, '
            f'first {unknown[0]}{hint}'
        )
    return np.array([index.get(name, -1) for name in names], np.int64)


def _check_numbers(
    table: BoxTable, number: np.ndarray, named: Callable[[int], str]
) -> None:
    """Raise DataError unless boxes and scores can be what a network says."""
    good = np.isfinite(table.boxes).all(1) & np.isfinite(table.scores).all(1)
    good &= (table.boxes[:, 2:] >= table.boxes[:, :2]).all(1)
    if not good.all():
        first = int((~good).argmax())
        raise DataError(
            f'{int((~good).sum())} of {len(good)} detections hold a NaN or '
            'an infinity, or x2 < x1 or y2 < y1, first in '
            f'{named(number[first])} (box {table.boxes[first].tolist()}); '
            'mend the network or the file'
        )
    negative = (table.scores < 0).any(1)
    if negative.any():
        raise DataError(
            f'{int(negative.sum())} detections have a negative score, first '
            f'in {named(number[negative][0])}; give probabilities, not logits'
        )
