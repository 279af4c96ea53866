"""Score files of `tools/test.py --dump`: reading and pairing.

Shared by the scripts of this folder. A score file is the pickle that the
stock test script writes: one dict a video with `pred_score` (K class
scores), `gt_label` and, when the config packs them, `filename` (videos) or
`frame_dir` (folders of frames). It is read by an unpickler that knows
tensors, arrays and plain Python values only, so that a score file from
elsewhere cannot run code.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lgd_mmaction.pickles import load_values
from lgd_tools.cli import ToolError
from lgd_tools.results.video_names import read_list, same_videos, video_keys

# where PackActionInputs may have put the video's name, best first
NAME_KEYS = ('filename', 'frame_dir')
NAMES_REMEDY = (
    "test with PackActionInputs(meta_keys=('img_shape', 'filename', "
    "'frame_dir')) in the config, or name the list that the test read"
)


@dataclass
class Scores:
    """What one test run said about V videos and K classes.

    Attributes:
        path: The score file.
        names: V names as the data set gave them (paths, any separator).
        values: (V, K) float64 scores.
        labels: (V,) int64 class indices.
        names_from: 'dump' (the file holds them) or 'list' (paired with the
            annotation file by order, every label compared).
    """

    path: Path
    names: list[str]
    values: np.ndarray
    labels: np.ndarray
    names_from: str


def load_scores(
    path: str | os.PathLike, ann: str | os.PathLike | None = None
) -> Scores:
    """Reads a score file; `ann` names the videos where the file does not.

    Args:
        path: Pickle of `tools/test.py --dump`.
        ann: Annotation list that the test read (`path label` or
            `dir total_frames label` lines). Where the score file holds
            names, the list must hold the same; where it does not, entries
            are paired by order and every label is compared.

    Raises:
        ToolError: The file is missing, broken, empty, holds NaN or scores
            of different lengths, or does not fit the list.
    """
    path = Path(path)
    entries = _read_entries(path)
    names = [_name_of(entry) for entry in entries]
    listed = None if ann is None else read_list(ann)
    names_from = 'dump'
    if any(name is None for name in names):
        if listed is None:
            raise ToolError(
                f'{path} does not hold the names of the videos; {NAMES_REMEDY}'
            )
        if len(listed[0]) != len(entries):
            raise ToolError(
                f'{path} holds {len(entries)} videos, but its list {ann} '
                f'{len(listed[0])}; give the list that the test read'
            )
        names, names_from = listed[0], 'list'
    values = _stack_scores(path, entries, names)
    labels = np.array(
        [
            _label_of(path, entry, n)
            for entry, n in zip(entries, names, strict=True)
        ],
        dtype=np.int64,
    )
    outside = np.flatnonzero((labels < 0) | (labels >= values.shape[1]))
    if outside.size:
        i = int(outside[0])
        raise ToolError(
            f'{path}: {names[i]} has label {labels[i]}, but there are '
            f'{values.shape[1]} classes; test with labelled videos'
        )
    scores = Scores(path, names, values, labels, names_from)
    if listed is not None:
        _compare_with_list(scores, ann, *listed)
    return scores


def _read_entries(path: Path) -> list[dict]:
    remedy = 'dump it again with tools/test.py --dump'
    entries = load_values(path, 'score file', remedy, tensors=True)
    if (
        not isinstance(entries, list)
        or not entries
        or not all(
            isinstance(e, dict) and {'pred_score', 'gt_label'} <= e.keys()
            for e in entries
        )
    ):
        raise ToolError(
            f'{path} is not a list of dicts with pred_score and gt_label; '
            f'{remedy}'
        )
    return entries


def _name_of(entry: dict) -> str | None:
    for key in NAME_KEYS:
        if isinstance(entry.get(key), str):
            return entry[key]
    return None


def _label_of(path: Path, entry: dict, name: str) -> int:
    label = _numbers(path, entry['gt_label'], name).reshape(-1)
    if label.size != 1:
        raise ToolError(
            f'{path}: {name} has {label.size} labels; only one label a '
            'video can be fused'
        )
    if label[0] != np.floor(label[0]) or abs(label[0]) > 2**31:
        raise ToolError(
            f'{path}: {name} has label {label[0]}; test with labelled videos'
        )
    return int(label[0])


def _numbers(path: Path, value: Any, name: str | None) -> np.ndarray:
    """Scores or a label, as the float64 array that they are."""
    # lists in lists, and views of one number, unfold to far more than the file
    nested = isinstance(value, Sequence) and any(
        not isinstance(x, (int, float)) for x in value
    )
    is_view = (
        hasattr(value, 'untyped_storage')
        and value.numel() * value.element_size()
        > value.untyped_storage().nbytes()
    )
    try:
        if nested or is_view or isinstance(value, (str, bytes)):
            raise TypeError
        # bfloat16 tensors have no numpy type
        value = value.double() if hasattr(value, 'double') else value
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, ArithmeticError, RuntimeError):
        raise ToolError(
            f'{path}: the scores or the label of {name} are no numbers; dump '
            'them with tools/test.py --dump'
        ) from None


def _stack_scores(
    path: Path, entries: list[dict], names: Sequence[str | None]
) -> np.ndarray:
    rows: list[np.ndarray] = []
    for entry, name in zip(entries, names, strict=True):
        row = _numbers(path, entry['pred_score'], name)
        if row.ndim != 1 or (rows and row.shape != rows[0].shape):
            expected = rows[0].shape if rows else '(classes,)'
            raise ToolError(
                f'{path}: the scores of {name} have shape {row.shape}, not '
                f"{expected}; test with average_clips='prob'"
            )
        if not np.isfinite(row).all():
            raise ToolError(
                f'{path}: the scores of {name} hold NaN or infinity; the '
                'network or its input is broken, test it again'
            )
        rows.append(row)
    return np.stack(rows)


def _compare_with_list(
    scores: Scores, ann: Any, names: list[str], labels: list[int]
) -> None:
    remedy = 'give the list that the test read'
    if scores.names_from == 'list':
        wrong = np.flatnonzero(scores.labels != np.array(labels))
        if wrong.size:
            i = int(wrong[0])
            raise ToolError(
                f'{scores.path} and {ann} disagree on entry {i + 1}, '
                f'{names[i]}: label {scores.labels[i]} and {labels[i]}; '
                f'{remedy}'
            )
        return
    mine, theirs = video_keys([scores.names, names])
    same_videos(
        [(str(scores.path), set(mine)), (str(ann), set(theirs))], remedy
    )
    listed = dict(zip(theirs, labels, strict=True))
    for key, label in zip(mine, scores.labels, strict=True):
        if listed[key] != label:
            raise ToolError(
                f'{scores.path} and {ann} disagree on {key}: label {label} '
                f'and {listed[key]}; {remedy}'
            )


def pair_streams(
    streams: Sequence[Scores], common_only: bool = False
) -> tuple[list[str], list[np.ndarray], np.ndarray]:
    """Brings streams into one order, by name.

    Args:
        streams: One entry a stream, in any order of videos.
        common_only: Keep only the videos that every stream has, where the
            default refuses.

    Returns:
        V keys (sorted), one (V, K) score array a stream, (V,) labels.

    Raises:
        ToolError: Videos, labels or numbers of classes differ.
    """
    classes = {s.values.shape[1] for s in streams}
    if len(classes) > 1:
        found = ', '.join(f'{s.path}: {s.values.shape[1]}' for s in streams)
        raise ToolError(
            f'different numbers of classes ({found}); fuse runs on one '
            'data set'
        )
    keys = video_keys([s.names for s in streams])
    rows = [{key: i for i, key in enumerate(group)} for group in keys]
    if common_only:
        kept = sorted(set.intersection(*(set(r) for r in rows)))
        if not kept:
            raise ToolError('the streams have no video in common')
    else:
        same_videos(
            [
                (str(s.path), set(r))
                for s, r in zip(streams, rows, strict=True)
            ],
            'test all streams on the same videos, or take --common-only',
        )
        kept = sorted(rows[0])
    order = [np.array([r[key] for key in kept]) for r in rows]
    labels = [s.labels[o] for s, o in zip(streams, order, strict=True)]
    for stream, own in zip(streams[1:], labels[1:], strict=True):
        wrong = np.flatnonzero(own != labels[0])
        if wrong.size:
            i = int(wrong[0])
            raise ToolError(
                f'{streams[0].path} and {stream.path} disagree on '
                f'{kept[i]}: label {labels[0][i]} and {own[i]}; prepare '
                'both lists with the same label map'
            )
    values = [s.values[o] for s, o in zip(streams, order, strict=True)]
    return kept, values, labels[0]
