"""Read the pickles of the ACT detector: JHMDB-GT.pkl, UCF101v2-GT.pkl.

The format of Kalogeiton et al., Action Tubelet Detector, ICCV 2017, whose
code describes it: a dict (a pickle of Python 2) with the keys

  labels        list of K class names; a label is an index into it
  nframes       {video: number of frames}, video is `<class>/<video>`
  resolution    {video: (height, width)}
  gttubes       {video: {label: [tube, ...]}}, a tube is an array (F, 5) of
                frame x1 y1 x2 y2; frames count from 1
  train_videos  [videos of split 1, videos of split 2, ...]
  test_videos   likewise

What x1 y1 x2 y2 are is the caller's to say (``sources.COORDINATES``).
Classes are put in alphabetical order, whatever order ``labels`` has.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lgd_mmaction.pickles import load_values
from lgd_tools.cli import ToolError
from lgd_tools.tubes.sources import (
    MAX_NUMBER,
    SourceTube,
    SourceVideo,
    Splits,
    check_name,
    numeric_rows,
    to_edges,
    whole_number,
)

KEYS = (
    'labels',
    'gttubes',
    'nframes',
    'train_videos',
    'test_videos',
    'resolution',
)


@dataclass
class ActFile:
    """The content of a pickle: class names, splits by number, videos."""

    classes: list[str]
    splits: Splits
    videos: dict[str, SourceVideo]


def read_act(path: Path, coordinates: str) -> ActFile:
    """Read a pickle in the format above.

    Args:
        path: The file.
        coordinates: A key of ``tube_sources.COORDINATES``.

    Raises:
        ToolError: It is no such file; names the video and what is wrong.
    """
    content = load_values(path, "pickle in ACT's format")
    if not isinstance(content, dict) or not set(KEYS) <= set(content):
        missing = set(KEYS) - set(content if isinstance(content, dict) else ())
        raise ToolError(
            f"{path} is not in ACT's format: {', '.join(sorted(missing))} "
            'missing; give JHMDB-GT.pkl or UCF101v2-GT.pkl'
        )
    for key in ('gttubes', 'nframes', 'resolution'):
        if not isinstance(content[key], dict):
            raise ToolError(f'{path}: {key} is not a dict: download it again')
    labels = _names(content['labels'], f'{path}: labels')
    classes = sorted(labels)
    if len(set(classes)) != len(classes):
        raise ToolError(f'{path}: labels names a class twice')
    index = [classes.index(name) for name in labels]
    videos = {}
    # a video without tubes may be missing in gttubes
    for key in {**content['gttubes'], **content['nframes']}:
        video = _read_video(content, key, path, index, coordinates)
        if video.name in videos:
            raise ToolError(f'{path}: {video.name} is there twice')
        for tube in video.tubes:
            if classes[tube.label] != video.name.split('/')[0]:
                raise ToolError(
                    f'{path}: {video.name} has a tube of class '
                    f'{classes[tube.label]}: the labels do not fit the folders'
                )
        videos[video.name] = video
    return ActFile(classes, _read_splits(content, path, videos), videos)


def _read_video(
    content: dict,
    key: Any,
    path: Path,
    index: list[int],
    coordinates: str,
) -> SourceVideo:
    name = check_name(key, str(path))
    where = f'{path}: {name}'
    try:
        frames = whole_number(content['nframes'][key], f'{where}: nframes')
        height, width = (
            whole_number(n, f'{where}: resolution')
            for n in content['resolution'][key]
        )
        labelled = content['gttubes'].get(key, {}).items()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ToolError(
            f'{where} lacks its number of frames, its resolution (height, '
            'width) or its tubes {label: [array]}: download the file again'
        ) from None
    if min(frames, height, width) < 1:
        raise ToolError(f'{where} has {frames} frames of {width}x{height}')
    tubes = []
    for label, arrays in labelled:
        label = whole_number(label, f'{where}: a label')
        if not 0 <= label < len(index):
            raise ToolError(
                f'{where} has label {label}, outside 0..{len(index) - 1}'
            )
        if not isinstance(arrays, (list, tuple)):
            raise ToolError(f'{where}: label {label} holds no list of tubes')
        tubes += [
            _read_tube(array, index[label], where, coordinates)
            for array in arrays
        ]
    return SourceVideo(name, frames, width, height, tubes)


def _read_tube(
    array: Any, label: int, where: str, coordinates: str
) -> SourceTube:
    rows = numeric_rows(array, 5, where)
    frames = rows[:, 0]
    if not (np.isfinite(frames) & (frames == np.round(frames))).all():
        raise ToolError(f'{where} has frames that are no whole numbers')
    if not (np.abs(frames) < MAX_NUMBER).all():
        raise ToolError(f'{where} has frames beyond a thousand million')
    edges = to_edges(rows[:, 1:], coordinates)
    return SourceTube(label, frames.astype(np.int64) - 1, edges)


def _read_splits(
    content: dict, path: Path, videos: dict[str, SourceVideo]
) -> Splits:
    splits: Splits = {}
    count = {}
    for subset in ('train', 'test'):
        value, where = content[f'{subset}_videos'], f'{path}: {subset}_videos'
        if not isinstance(value, (list, tuple)) or not value:
            raise ToolError(f'{where} is no list of splits')
        # one split may stand without a list around it
        value = [value] if isinstance(value[0], str) else value
        count[subset] = len(value)
        for number, names in enumerate(value, 1):
            names = [check_name(n, where) for n in _names(names, where)]
            splits.setdefault(str(number), {})[subset] = names
            for name in names:
                if name not in videos:
                    raise ToolError(
                        f'{path}: split {number} names {name}, of which '
                        'nframes and gttubes know nothing'
                    )
    if count['train'] != count['test']:
        raise ToolError(
            f'{path} has {count["train"]} training and {count["test"]} test '
            'lists'
        )
    return splits


def _names(value: Any, where: str) -> list[str]:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(name, str) for name in value
    ):
        raise ToolError(f'{where} is not a list of names')
    return list(value)
