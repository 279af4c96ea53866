"""A contact sheet of clips: a row per clip, a column per time."""

import os
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from lgd_tools.video import write_png

_GAP = 4  # pixels between pictures
_LINE = 22  # height of a row's caption
_INK, _PAPER = (30, 30, 30), 250


def write_contact_sheet(
    path: str | os.PathLike,
    clips: Mapping[str, np.ndarray],
    columns: int = 8,
    short_side: int = 112,
) -> Path:
    """Write a PNG with frames of each clip at evenly spread times.

    Args:
        path: file to write; its folder is made.
        clips: caption -> uint8 (T, H, W, 3), RGB.
        columns: frames of each clip, at most.
        short_side: shorter side of each picture in pixels.

    Returns:
        The path.
    """
    rows = [
        _row(caption, clip, columns, short_side)
        for caption, clip in clips.items()
    ]
    width = max(row.shape[1] for row in rows)
    sheet = np.concatenate(
        [
            np.pad(
                row,
                ((0, 0), (0, width - row.shape[1]), (0, 0)),
                constant_values=_PAPER,
            )
            for row in rows
        ]
    )
    write_png(path, sheet)
    return Path(path)


def _row(
    caption: str, clip: np.ndarray, columns: int, short_side: int
) -> np.ndarray:
    frames, height, width = clip.shape[:3]
    times = np.unique(np.linspace(0, frames - 1, columns).round().astype(int))
    scale = short_side / min(height, width)
    size = round(width * scale), round(height * scale)
    step = size[0] + _GAP
    row = np.full(
        (_LINE + size[1] + _GAP, _GAP + len(times) * step, 3),
        _PAPER,
        np.uint8,
    )
    text = f'{caption}   frames {times[0]} to {times[-1]}'
    cv2.putText(
        row,
        text,
        (_GAP, _LINE - 7),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.45,
        _INK,
        1,
        cv2.LINE_AA,
    )
    for column, time in enumerate(times):
        picture = cv2.resize(clip[time], size, interpolation=cv2.INTER_AREA)
        left = _GAP + column * step
        row[_LINE : _LINE + size[1], left : left + size[0]] = picture
    return row
