"""Tubes as data sets are distributed: what ``jhmdb``, ``ucf101_24`` share.

The pickles of the ACT detector (JHMDB-GT.pkl, UCF101v2-GT.pkl; Kalogeiton et
al., Action Tubelet Detector, ICCV 2017, whose code describes the format) are
dicts, written by Python 2, with the keys

  labels        list of K class names; a label is an index into it
  nframes       {video: number of frames}, video is `<class>/<video>`
  resolution    {video: (height, width)}
  gttubes       {video: {label: [tube, ...]}}, a tube is an array (F, 5) of
                frame x1 y1 x2 y2; frames count from 1
  train_videos  [videos of split 1, videos of split 2, ...]
  test_videos   likewise
"""

import operator
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lgd_mmaction.detection.annotations import TubeAnnotations, TubeVideo
from lgd_mmaction.pickles import load_values
from lgd_tools.cli import ToolError

LAST_FRAME = 10**9  # far beyond any video
Splits = dict[str, dict[str, list[str]]]  # by split, train or test
# what is added to the four numbers of a box to get edges
COORDINATES = {
    'edges': (0, 0, 0, 0),  # x2 = x1 + width
    'pixels0': (0, 0, 1, 1),  # first and last pixel, counted from 0
    'pixels1': (-1, -1, 0, 0),  # the same, counted from 1
}


class RawTube(NamedTuple):
    """A tube as it was read: it may leave the picture, or have gaps."""

    label: int  # class index from 0
    frames: np.ndarray  # (F,) int, from 0
    boxes: np.ndarray  # (F, 4) float64 x1 y1 x2 y2, edges in pixels


# ------------------------------------------------------- reading odd content
@contextmanager
def well_formed(where: str) -> Iterator[None]:
    """Turn what content of another shape raises into one sentence."""
    try:
        yield
    except (
        *(ArithmeticError, AttributeError, LookupError),
        *(RecursionError, TypeError, ValueError),
    ) as error:
        reason = ' '.join(str(error).split())[:200]
        raise ToolError(
            f'{where} is not as --help describes it '
            f'({type(error).__name__}: {reason}): download the file again'
        ) from None


def whole(value: object) -> int:
    """A Python or NumPy integer of 64 bits as int."""
    return int(np.int64(operator.index(value)))


def rows_of(value: object, columns: int) -> np.ndarray:
    """An array of numbers as (F, columns) float64."""
    if (
        not isinstance(value, np.ndarray)
        or value.shape[1:] != (columns,)
        or value.dtype.kind not in 'iuf'
    ):
        shape = getattr(value, 'shape', type(value).__name__)
        raise ValueError(f'boxes are {shape}, not (F, {columns}) numbers')
    # before anything is added: uint8 overflows at 256
    return value.astype(np.float64)


def names_of(splits: Splits) -> set[str]:
    """The videos of all splits."""
    subsets = [names for split in splits.values() for names in split.values()]
    return set().union(*subsets)


def video_name(text: str) -> str:
    """``<class>/<video>`` without the extension that lists may have."""
    name = re.sub(r'\.(avi|mp4)$', '', text.replace('\\', '/').strip())
    if not re.fullmatch(r'[^/.\s][^/]*/[^/.\s][^/]*', name):
        raise ValueError(f'{text[:80]!r} is no video <class>/<video>')
    return name


# ---------------------------------------------------------- pickles of ACT
def read_act(dataset: str, path: Path, coordinates: str) -> TubeAnnotations:
    """Read a pickle of the ACT detector; classes in alphabetical order."""
    content = load_values(path, "pickle in ACT's format")
    videos = {}
    with well_formed(f"{path}, a pickle in ACT's format,"):
        labels = dict(enumerate(content['labels']))
        classes, lengths = sorted({*labels.values()}), content['nframes']
        splits = _splits(content['train_videos'], content['test_videos'])
        for name in lengths:
            with well_formed(f'{path}: {name}'):
                height, width = map(whole, content['resolution'][name])
                arrays_of = content['gttubes'].get(name, {})
                tubes = tuple(
                    _tube(classes.index(labels[label]), rows, coordinates)
                    for label, arrays in arrays_of.items()
                    for rows in arrays
                )
                frames, name = whole(lengths[name]), video_name(name)
                videos[name] = TubeVideo(name, frames, width, height, tubes)
    return TubeAnnotations(dataset, tuple(classes), splits, videos)


def _splits(train: list, test: list) -> Splits:
    # a single split may stand without a list around it
    pairs = [
        [lists] if isinstance(lists[0], str) else lists
        for lists in (train, test)
    ]
    return {
        str(number): {
            subset: [video_name(name) for name in part]
            for subset, part in zip(('train', 'test'), names, strict=True)
        }
        for number, names in enumerate(zip(*pairs, strict=True), 1)
    }


def _tube(label: int, rows: object, coordinates: str) -> RawTube:
    rows = rows_of(rows, 5)
    frames = rows[:, 0]
    if not np.array_equal(frames, frames.round().clip(0, LAST_FRAME)):
        raise ValueError('frames are no whole numbers')
    edges = rows[:, 1:] + COORDINATES[coordinates]
    return RawTube(label, frames.astype(np.int64) - 1, edges)
