"""Tubes as data sets are distributed, and the files that hold them.

Shared by the readers (``jhmdb.py``, ``ucf101_24.py``, ``act_pickles.py``).
"""

import operator
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from lgd_tools.cli import ToolError

Splits = dict[str, dict[str, list[str]]]  # by split, train or test
# What is added to the four numbers of a box to get edges.
COORDINATES = {
    # x2 = x1 + width
    'edges': (0, 0, 0, 0),
    # first and last pixel of the box, the picture's first pixel is 0
    'pixels0': (0, 0, 1, 1),
    # the same, the picture's first pixel is 1
    'pixels1': (-1, -1, 0, 0),
}


class RawTube(NamedTuple):
    """A tube as it was read: it may leave the picture, or have gaps.

    Attributes:
        label: Class index from 0.
        frames: (F,) int, from 0.
        boxes: (F, 4) float64 x1 y1 x2 y2, edges in pixels.
    """

    label: int
    frames: np.ndarray
    boxes: np.ndarray


# ------------------------------------------------------- reading odd content
@contextmanager
def well_formed(where: str) -> Iterator[None]:
    """Turn what content of another shape raises into one sentence."""
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
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


def names_of(splits: dict[str, dict[str, list[str]]]) -> set[str]:
    """The videos of all splits."""
    return {
        name
        for subsets in splits.values()
        for names in subsets.values()
        for name in names
    }


def video_name(text: str) -> str:
    """``<class>/<video>`` without the extension that lists may have."""
    name = re.sub(r'\.(avi|mp4)$', '', text.replace('\\', '/').strip())
    if not re.fullmatch(r'[^/.\s][^/]*/[^/.\s][^/]*', name):
        raise ValueError(f'{text[:80]!r} is no video <class>/<video>')
    return name


# --------------------------------------------------------------------- files
def members_of(path: Path, suffix: str) -> dict[str, Callable[[], bytes]]:
    """The files in a folder or a zip: path in it -> a function that reads it.

    Raises:
        ToolError: There is no such file; so does a function.
    """
    if path.is_dir():
        found = {
            file.relative_to(path).as_posix(): file.read_bytes
            for file in path.rglob(f'*{suffix}')
            if file.is_file()
        }
    else:
        with _readable(path):
            archive = zipfile.ZipFile(path)
        found = {
            name: partial(_read_member, archive, name)
            for name in archive.namelist()
            if name.endswith(suffix)
        }
    # '__MACOSX/._x' and '.x' are leavings of file browsers
    found = {
        name: found[name]
        for name in sorted(found)
        if not PurePosixPath(name).name.startswith('.')
    }
    if not found:
        raise ToolError(f'no files *{suffix} in {path}: check the path')
    return found


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    with _readable(f'{archive.filename}: {name}'):
        return archive.read(name)


@contextmanager
def _readable(where: object) -> Iterator[None]:
    try:
        yield
    # a damaged archive can raise nearly anything
    except Exception as error:
        raise ToolError(
            f'{where} is no folder and cannot be read as a zip ({error}): '
            'download it again'
        ) from None


def lines_of(data: bytes) -> list[str]:
    """The lines of a text file."""
    return data.decode('utf-8-sig', 'surrogateescape').splitlines()
