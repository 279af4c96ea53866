"""Score files of `tools/test.py --dump`: reading and pairing.

Shared by the scripts of this folder. A score file is the pickle that the
stock test script writes: one dict a video with `pred_score` (K class
scores), `gt_label` and, when the config packs them, `filename` (videos) or
`frame_dir` (folders of frames). It is read by an unpickler that knows
tensors, arrays and plain Python values only, so that a score file from
elsewhere cannot run code.
"""

import io
import os
import pickle
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from analysis_common import ToolError
from video_names import read_list, same_videos, video_keys

# where PackActionInputs may have put the video's name, best first
NAME_KEYS = ('filename', 'frame_dir')
NAMES_REMEDY = (
    "test with PackActionInputs(meta_keys=('img_shape', 'filename', "
    "'frame_dir')) in the config, or name the list that the test read"
)
_ARRAY_GLOBALS = {
    ('numpy', 'dtype'),
    ('numpy', 'ndarray'),
    *(
        (f'numpy.{core}.multiarray', name)
        for core in ('core', '_core')
        for name in ('_reconstruct', 'scalar')
    ),
}


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


class _ScoreUnpickler(pickle.Unpickler):
    """An unpickler of tensors, arrays and plain values, nothing else."""

    def __init__(self, file: io.BufferedIOBase, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            import torch

            return torch._utils._rebuild_tensor_v2
        if (module, name) == ('torch.storage', '_load_from_bytes'):
            return _load_storage
        if (module, name) == ('_codecs', 'encode'):
            return _encode_latin1
        if (module, name) == ('collections', 'OrderedDict'):
            return OrderedDict
        if (module, name) in _ARRAY_GLOBALS:
            return super().find_class(module, name)
        raise ToolError(
            f'{self._path} holds {module}.{name}, which no score file '
            'needs; it was not loaded: dump it again with tools/test.py '
            '--dump'
        )


def _load_storage(data: bytes) -> Any:
    # torch's own function of this name switches weights_only off
    import torch

    return torch.load(io.BytesIO(data), weights_only=True)


def _encode_latin1(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise ValueError(f'unexpected encoding {encoding!r}')
    return text.encode('latin1')


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
    try:
        with path.open('rb') as file:
            entries = _ScoreUnpickler(file, path).load()
    except FileNotFoundError:
        raise ToolError(f'there is no score file {path}; {remedy}') from None
    except ToolError:
        raise
    # a broken pickle can raise nearly anything
    except Exception as error:
        raise ToolError(
            f'{path} is not a readable score file ({error}); {remedy}'
        ) from error
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
    label = np.asarray(entry['gt_label']).reshape(-1)
    if label.size != 1:
        raise ToolError(
            f'{path}: {name} has {label.size} labels; only one label a '
            'video can be fused'
        )
    return int(label[0])


def _stack_scores(
    path: Path, entries: list[dict], names: Sequence[str | None]
) -> np.ndarray:
    rows: list[np.ndarray] = []
    for entry, name in zip(entries, names, strict=True):
        score = entry['pred_score']
        # bfloat16 tensors have no numpy type
        score = score.double() if hasattr(score, 'double') else score
        try:
            row = np.asarray(score, dtype=np.float64)
        except (TypeError, ValueError):
            raise ToolError(
                f'{path}: the scores of {name} are no numbers; dump them '
                'with tools/test.py --dump'
            ) from None
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
