"""Score files of `tools/test.py --dump`: reading and pairing.

One dict a video with `pred_score` (K class scores), `gt_label` and, when the
config packs them, `filename` (videos) or `frame_dir` (folders of frames).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lgd_mmaction.pickles import load_values
from lgd_tools.cli import ToolError
from lgd_tools.results.video_names import (
    read_list,
    require_same_videos,
    video_keys,
)

_AGAIN = 'dump it again with tools/test.py --dump'


@dataclass
class Scores:
    """What one test run said about V videos and K classes."""

    path: Path
    names: list[str]  # V, as the data set gave them (paths, any separator)
    values: np.ndarray  # (V, K) float64 scores
    labels: np.ndarray  # (V,) int64 class indices
    names_from: str  # 'dump' (the file holds them) or 'list' (by order)


def load_scores(
    path: str | os.PathLike,
    ann: str | os.PathLike | None = None,
    named: bool = True,
) -> Scores:
    """Read a score file.

    Args:
        path: Pickle of `tools/test.py --dump`; no code in it is run.
        ann: Annotation list that the test read. Where the score file holds
            names, the list must hold the same; else the list names the
            videos, by order. Every label is compared.
        named: Whether the names matter; else they are numbers.
    """
    path = Path(path)
    entries = load_values(path, 'score file', _AGAIN, tensors=True)
    if not (isinstance(entries, list) and entries) or not all(
        isinstance(e, dict) and {'pred_score', 'gt_label'} <= e.keys()
        for e in entries
    ):
        raise ToolError(
            f'{path} is not a list of dicts with pred_score and gt_label; '
            f'{_AGAIN}'
        )
    names = [e.get('filename', e.get('frame_dir')) for e in entries]
    if not named:
        names = [str(i) for i in range(len(entries))]
    names_from = 'dump'
    listed, classes = read_list(ann) if ann is not None else ([], [])
    if not all(isinstance(name, str) for name in names):
        if len(listed) != len(entries):
            raise ToolError(
                f'{path} does not hold the names of the {len(entries)} '
                "videos; test with PackActionInputs(meta_keys=('img_shape', "
                "'filename', 'frame_dir')) in the config, or name the list "
                f'that the test read (given: {len(listed)} videos)'
            )
        names, names_from = listed, 'list'
    rows, labels = [], []
    for entry, name in zip(entries, names, strict=True):
        row, label = _read_entry(entry, f'{path}: {name}')
        if row.size != (rows or [row])[0].size:
            raise ToolError(
                f'{path}: {name} has {row.size} scores, others '
                f'{rows[0].size}; {_AGAIN}'
            )
        rows.append(row)
        labels.append(label)
    if ann is not None:
        mine, theirs = video_keys([names, listed])
        require_same_videos(
            [
                (path, dict(zip(mine, labels, strict=True))),
                (ann, dict(zip(theirs, classes, strict=True))),
            ],
            'give the list that the test read',
        )
    return Scores(path, names, np.stack(rows), np.array(labels), names_from)


def _read_entry(entry: dict, where: str) -> tuple[np.ndarray, int]:
    """(K,) scores and the label of a video."""
    try:
        values, label = map(_numbers, (entry['pred_score'], entry['gt_label']))
    except (TypeError, ValueError, ArithmeticError, RuntimeError):
        raise ToolError(
            f'{where}: the scores or the label are no numbers; {_AGAIN}'
        ) from None
    if values.ndim != 1:
        raise ToolError(
            f'{where}: the scores have shape {values.shape}, not (classes,); '
            "test with average_clips='prob'"
        )
    if not np.isfinite(values).all():
        raise ToolError(
            f'{where}: the scores hold NaN or infinity; the network or its '
            'input is broken, test it again'
        )
    if label.size != 1 or label.item() not in range(values.size):
        raise ToolError(
            f'{where} has label {label.reshape(-1)[:3]}, not one of the '
            f'{values.size} classes; test with labelled videos'
        )
    return values, int(label.item())


def _numbers(value: Any) -> np.ndarray:
    """A float64 array; TypeError where it is much larger than in the file."""
    # lists in lists, and views of one number, unfold to far more than the file
    nested = isinstance(value, Sequence) and any(
        not isinstance(x, (int, float)) for x in value
    )
    is_view = (
        hasattr(value, 'untyped_storage')
        and value.numel() * value.element_size()
        > value.untyped_storage().nbytes()
    )
    if nested or is_view or isinstance(value, (str, bytes)):
        raise TypeError
    # bfloat16 tensors have no numpy type
    value = value.double() if hasattr(value, 'double') else value
    return np.asarray(value, dtype=np.float64)


def pair_streams(
    streams: Sequence[Scores],
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Bring streams, in any order of videos, into one order, by name.

    Returns V keys (sorted), (S, V, K) scores of S streams, (V,) labels.
    """
    if len({s.values.shape[1] for s in streams}) > 1:
        found = ', '.join(f'{s.path}: {s.values.shape[1]}' for s in streams)
        raise ToolError(
            f'different numbers of classes ({found}); fuse runs on one '
            'data set'
        )
    keys = video_keys([s.names for s in streams])
    require_same_videos(
        [
            (s.path, dict(zip(own, s.labels, strict=True)))
            for s, own in zip(streams, keys, strict=True)
        ],
        'test all streams on the same videos',
    )
    orders = [np.argsort(own) for own in keys]
    values = [s.values[o] for s, o in zip(streams, orders, strict=True)]
    return sorted(keys[0]), np.stack(values), streams[0].labels[orders[0]]
