"""Boxes by frame, and the reader of those that a person detector proposes."""

import logging
from dataclasses import dataclass
from os import PathLike

import numpy as np
from mmengine.logging import print_log

from lgd_mmaction.detection.annotations import TubeVideo
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.errors import DataError


@dataclass
class FrameBoxes:
    """M boxes in order of their frames.

    Frames of all videos are numbered through, so that a frame is one number
    and its boxes one slice. Flat arrays are shared by the worker processes
    of a loader; lists of objects would be copied by each of them.
    """

    frame: np.ndarray  # (M,) int64, ascending
    boxes: np.ndarray  # (M, 4) float32, x1 y1 x2 y2
    extra: dict[str, np.ndarray]  # more arrays of M rows, by name

    def __len__(self) -> int:
        return len(self.frame)

    def rows(self, frame: int) -> slice:
        """The rows of one frame."""
        first, last = np.searchsorted(self.frame, [frame, frame + 1])
        return slice(int(first), int(last))

    def take(self, index: np.ndarray) -> 'FrameBoxes':
        """Some of the rows, in another order."""
        extra = {name: array[index] for name, array in self.extra.items()}
        return FrameBoxes(self.frame[index], self.boxes[index], extra)


def read_proposals(
    path: str | PathLike, videos: list[TubeVideo], known: set[str]
) -> FrameBoxes:
    """The proposals of some videos, best first in each frame.

    What cannot be used is left out and counted in a line of the log: boxes
    that are not finite, without area inside the frame, in frames that a
    video does not have, or of videos that the annotations do not have.
    Boxes of annotated videos outside ``videos`` (another subset) are passed
    over. Boxes that reach out of the frame are clipped, and counted.

    Args:
        path: A file of proposals, see box_table.py.
        videos: The wanted ones; their order numbers the frames.
        known: Names of all annotated videos.

    Returns:
        Boxes as fractions of width and height, with ``score`` (M,).

    Raises:
        DataError: The file is damaged, holds pixels, or has no box in any
            of the videos.
    """
    table = BoxTable.load(path, 'proposals')
    row_of = {video.name: row for row, video in enumerate(videos)}
    lengths = np.array([video.num_frames for video in videos], np.int64)
    first = np.cumsum(lengths) - lengths
    # of each name in the file: row in videos, -1 other subset, -2 unknown
    rows = np.array(
        [row_of.get(n, -1 if n in known else -2) for n in table.videos],
        np.int64,
    )
    video = rows[table.video] if len(table) else np.zeros(0, np.int64)
    wanted = video >= 0
    if not wanted.any():
        raise DataError(
            f'{path} has no box in any of the {len(videos)} videos of this '
            'subset; make it with tools/data/detect_people.py from the same '
            'annotation file and subset'
        )
    owner, frame = video[wanted], table.frame[wanted].astype(np.int64)
    boxes, score = table.boxes[wanted], table.score[wanted]
    finite = np.isfinite(boxes).all(1) & np.isfinite(score)
    if (np.abs(boxes[finite]) > 1.5).any(1).sum() * 2 > finite.sum():
        raise DataError(
            f'{path} holds boxes in pixels, but boxes are fractions of width '
            'and height there; divide x by the width and y by the height'
        )
    clipped = np.clip(boxes, 0, 1)
    there = (frame >= 0) & (frame < lengths[owner])
    solid = (clipped[:, 2:] > clipped[:, :2]).all(1)
    keep = finite & there & solid
    # a detector that rounds may leave the frame by a little
    outside = keep & (np.abs(clipped - boxes) > 0.01).any(1)
    found = FrameBoxes(
        first[owner[keep]] + frame[keep],
        clipped[keep],
        {'score': score[keep].astype(np.float32)},
    )
    found = found.take(np.lexsort((-found.extra['score'], found.frame)))
    counts = {
        'of videos without annotation': (video == -2).sum(),
        'not finite': (~finite).sum(),
        'in frames that their video does not have': (~there).sum(),
        'without area inside the frame': (~solid & finite).sum(),
    }
    level = logging.WARNING if any(counts.values()) else logging.INFO
    counts['clipped to the frame'] = outside.sum()
    parts = [f'{n} {what}' for what, n in counts.items() if n]
    frames = int(lengths.sum())
    print_log(
        f'{path}: {len(found)} proposals in {frames} frames, '
        f'{frames - len(np.unique(found.frame))} of them without any; '
        f'{", ".join(parts) or "none left out"}',
        logger='current',
        level=level,
    )
    if table.frames_video is None:
        return found
    video, frame = rows[table.frames_video], table.frames_frame
    looked = (video >= 0) & (frame >= 0)  # negative: of other videos
    looked &= frame < lengths[np.maximum(video, 0)]
    seen = np.unique(first[video[looked]] + frame[looked])
    if len(seen) < frames:
        print_log(
            f'{path}: the detector never looked at {frames - len(seen)} of '
            f'the {frames} frames; run tools/data/detect_people.py again to '
            'complete the file',
            logger='current',
            level=logging.WARNING,
        )
    return found
