"""Tubes as data sets are distributed.

Shared by the readers (``jhmdb.py``, ``ucf101_24.py``, ``act_pickles.py``).
"""

import operator
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from lgd_tools.cli import ToolError

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
