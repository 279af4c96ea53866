"""Tubes as a data set's files hold them, and what is made of bad ones.

Shared by ``jhmdb.py`` and ``ucf101_24.py``. A reader makes a
:class:`SourceVideo` of every video; :class:`TubeCleaner` turns its tubes into
those of the annotation file and counts what it had to change.
"""

import re
import reprlib
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from lgd_tools.cli import ToolError

# What the four numbers of a box are, and what must be added to get edges.
COORDINATES = {
    # x2 = x1 + width
    'edges': (0, 0, 0, 0),
    # first and last pixel of the box, the picture's first pixel is 0
    'pixels0': (0, 0, 1, 1),
    # the same, the picture's first pixel is 1
    'pixels1': (-1, -1, 0, 0),
}

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 200
# video names by split number and subset
Splits = dict[str, dict[str, list[str]]]
# Frames, labels and sizes are below; far more overflow NumPy's integers.
MAX_NUMBER = 10**9


@dataclass
class SourceTube:
    """One tube as it was read.

    Attributes:
        label: Class index from 0.
        frames: (F,) frame numbers from 0.
        boxes: (F, 4) x1 y1 x2 y2, edges in pixels.
    """

    label: int
    frames: np.ndarray
    boxes: np.ndarray


@dataclass
class SourceVideo:
    """One video as it was read.

    Attributes:
        name: ``<class>/<video>``.
        num_frames: Number of frames.
        width: Of a frame, in pixels.
        height: Of a frame, in pixels.
        tubes: Its tubes, maybe none.
        counted: Whether the source knew the number of frames; False where
            it is only that of the last box.
    """

    name: str
    num_frames: int
    width: int
    height: int
    tubes: list[SourceTube] = field(default_factory=list)
    counted: bool = True


def rows_of(value: object) -> np.ndarray:
    """An array, or rows of single values, as an array.

    Raises:
        ValueError: It is something else. Lists in lists that hold one list
            again and again unfold to far more than the file.
    """
    if isinstance(value, np.ndarray):
        return value
    # text too: the caller says what is wrong with it
    single = (int, float, np.number, str)
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(row, (np.ndarray, *single))
        or isinstance(row, (list, tuple))
        and all(isinstance(x, single) for x in row)
        for row in value
    ):
        raise ValueError('no rows of values')
    return np.asarray(value)


def numeric_rows(value: object, columns: int, where: str) -> np.ndarray:
    """(F, columns) float64, or ToolError where the rows are something else."""
    try:
        rows = rows_of(value)
    except ValueError:  # lists of different lengths, or no lists
        rows = np.empty(0)
    if rows.shape[1:] != (columns,) or rows.dtype.kind not in 'iuf':
        raise ToolError(
            f'{where} has a tube with boxes of shape {rows.shape} and '
            f'{rows.dtype}, not (F, {columns}) numbers'
        )
    # before anything is added: uint8 overflows at 256
    return rows.astype(np.float64)


def names_of(splits: Splits) -> list[str]:
    """The videos of all splits, each once."""
    lists = [names for s in splits.values() for names in s.values()]
    return list(dict.fromkeys(name for names in lists for name in names))


def to_edges(boxes: np.ndarray, coordinates: str) -> np.ndarray:
    """(F, 4) float64 edges of boxes in one of :data:`COORDINATES`."""
    return np.asarray(boxes, np.float64) + COORDINATES[coordinates]


def check_name(name: object, where: str) -> str:
    """A video's name without extension, or ToolError.

    Args:
        name: ``<class>/<video>``, maybe with ``\\`` or ``.avi``.
        where: File, and line where there is one, for the message.
    """
    text = name.replace('\\', '/') if isinstance(name, str) else ''
    text = re.sub(r'\.(avi|mp4|mkv|webm)$', '', text.strip())
    if not re.fullmatch(r'[^/.\s][^/]*/[^/.\s][^/]*', text):
        raise ToolError(
            f'{where}: expected a video `<class>/<video>`, got {_shown(name)}'
        )
    return text


def whole_number(value: object, where: str) -> int:
    """A Python or NumPy integer below 10**9 as int, or ToolError."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, np.integer)
    ):
        raise ToolError(f'{where} is {_shown(value)}, not a whole number')
    number = int(value)
    if abs(number) >= MAX_NUMBER:
        raise ToolError(
            f'{where} is beyond {MAX_NUMBER}: download the file again'
        )
    return number


def _shown(value: object) -> str:
    """A short ``repr``, also of lists that are thousands deep."""
    try:
        return _REPR.repr(value)
    except ValueError:  # an integer of thousands of digits
        return f'an odd {type(value).__name__}'


# Kinds of what the cleaner finds, in the order of the report; those that
# lose something come first.
DROPPED = (
    'boxes dropped: NaN or infinity',
    'boxes dropped: in a frame that the video does not have',
    'boxes dropped: no area',
    'boxes dropped: outside the picture',
    'tubes dropped: no box left',
)
CLIPPED = 'boxes clipped to the picture'
SPLIT = 'tubes split at gaps'


class TubeCleaner:
    """Makes tubes that the annotation file admits; counts the changes.

    Args:
        strict: Raise where a box would be clipped or dropped.
        split_gaps: Make two tubes of one with a gap, else raise.
    """

    def __init__(self, strict: bool = False, split_gaps: bool = False) -> None:
        self.strict = strict
        self.split_gaps = split_gaps
        self.counts: Counter = Counter()
        self.examples: dict[str, str] = {}
        self.read = 0
        self.lowest = np.full(2, np.inf)
        self.highest = np.full(2, -np.inf)
        # the smallest distance to the right and the lower border
        self.beyond = np.full(2, np.inf)

    @property
    def from_pixel_0(self) -> bool:
        """Whether the numbers look like pixels 0 to width - 1."""
        return (self.lowest == 0).all() and (self.beyond == 1).all()

    @property
    def lossy(self) -> bool:
        """Whether boxes or tubes were dropped."""
        return any(self.counts[kind] for kind in DROPPED)

    def clean(self, video: SourceVideo) -> list[tuple[int, int, np.ndarray]]:
        """``(label, start, (F, 4) float32 boxes)`` of each tube.

        Raises:
            ToolError: Frames repeat or go back, a tube has a gap and
                ``split_gaps`` is off, or a box is bad and ``strict`` is on.
        """
        cleaned = []
        for number, tube in enumerate(video.tubes):
            where = f'tube {number} of {video.name}'
            steps = np.diff(tube.frames)
            if (steps < 1).any():
                frame = tube.frames[int((steps < 1).argmax()) + 1]
                raise ToolError(
                    f'{where}: frame {frame} is there twice or out of order'
                )
            frames, boxes, lost = self._good_boxes(video, tube, where)
            if not len(frames):
                self._count('tubes dropped: no box left', 1, where)
                continue
            for piece in self._pieces(frames, where, lost):
                start = int(frames[piece][0])
                cleaned.append((tube.label, start, boxes[piece]))
        return cleaned

    def _good_boxes(
        self, video: SourceVideo, tube: SourceTube, where: str
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        frames, boxes = tube.frames, tube.boxes
        size = np.array([video.width, video.height] * 2)
        self.read += len(boxes)
        finite = np.isfinite(boxes).all(1)
        if finite.any():
            good = boxes[finite]
            self.lowest = np.minimum(self.lowest, good[:, :2].min(0))
            last = good[:, 2:].max(0)
            self.highest = np.maximum(self.highest, last)
            self.beyond = np.minimum(self.beyond, size[:2] - last)
        inside = np.clip(np.where(finite[:, None], boxes, 0), 0, size)
        # the file keeps thousandths
        inside = np.round(inside, 3).astype(np.float32)
        tests = (
            finite,
            (frames >= 0) & (frames < video.num_frames),
            (boxes[:, 2:] > boxes[:, :2]).all(1),
            (inside[:, 2:] > inside[:, :2]).all(1),
        )
        keep = np.ones(len(boxes), bool)
        for kind, test in zip(DROPPED, tests, strict=False):
            bad = keep & ~test
            self._count_boxes(kind, bad, tube, video, where)
            keep &= test
        outside = keep & ((boxes < 0) | (boxes > size)).any(1)
        self._count_boxes(CLIPPED, outside, tube, video, where)
        return frames[keep], inside[keep], not keep.all()

    def _count_boxes(
        self,
        kind: str,
        which: np.ndarray,
        tube: SourceTube,
        video: SourceVideo,
        where: str,
    ) -> None:
        if not which.any():
            return
        first = int(which.argmax())
        box = ' '.join(f'{x:g}' for x in tube.boxes[first])
        self._count(
            kind,
            int(which.sum()),
            f'{where}, frame {tube.frames[first]} of {video.num_frames}, '
            f'{box} in {video.width}x{video.height}',
        )

    def _count(self, kind: str, number: int, example: str) -> None:
        if self.strict:
            raise ToolError(
                f'{kind}: {number}, first {example}; mend the annotation, or '
                'leave --strict out to have such boxes counted'
            )
        self.counts[kind] += number
        self.examples.setdefault(kind, example)

    def _pieces(
        self, frames: np.ndarray, where: str, lost: bool
    ) -> list[np.ndarray]:
        """Indices of the runs of consecutive frames."""
        cuts = np.flatnonzero(np.diff(frames) > 1) + 1
        pieces = np.split(np.arange(len(frames)), cuts)
        if len(pieces) > 1:
            before, after = frames[cuts[0] - 1], frames[cuts[0]]
            gap = f'{where} has no box in frames {before + 1}..{after - 1}'
            if not self.split_gaps:
                reason = ', since bad ones were dropped' if lost else ''
                raise ToolError(
                    f'{gap}{reason} ({len(pieces) - 1} such gaps): mend the '
                    'annotation, or give --split-gaps to make two tubes of it'
                )
            self.counts[SPLIT] += 1
            self.examples.setdefault(SPLIT, gap)
        return pieces
