"""Are the data of a config there? Counts, presence, overlap.

Everything that would stop a run after hours is looked at before it begins:
lists, labels, every video or folder of frames, videos that are both trained
and tested on, and streams that would be tested on different videos.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from lgd_tools.cli import (
    VIDEO_EXTENSIONS,
    ToolError,
    file_sha256,
    progress,
    read_lines,
)
from lgd_tools.experiment.flow_size import resized_short_side, size_note
from lgd_tools.results.video_names import read_list, same_videos, video_keys

ROLES = ('train', 'val', 'test')
CHECKED = (
    'VideoDataset',
    'RawframeDataset',
    'RobustVideoDataset',
    'RobustRawframeDataset',
)


def dataset_of(config: Mapping[str, Any], role: str) -> dict:
    """The data set of a role ('train', 'val', 'test'), unwrapped.

    Raises:
        ToolError: There is none, or it is not a plain list of videos or
            frames.
    """
    loader = config.get(f'{role}_dataloader') or {}
    dataset = loader.get('dataset') or {}
    while isinstance(dataset.get('dataset'), Mapping):
        dataset = dataset['dataset']
    kind = str(dataset.get('type')).rsplit('.', 1)[-1]
    if kind not in CHECKED:
        raise ToolError(
            f'{role}_dataloader has a data set of type {kind}; an experiment '
            f'needs {" or ".join(CHECKED)}'
        )
    return dict(dataset)


def list_of(dataset: Mapping[str, Any]) -> str:
    """Path of a data set's annotation list."""
    return os.path.join(
        dataset.get('data_root') or '', dataset.get('ann_file') or ''
    )


def folder_of(dataset: Mapping[str, Any]) -> str:
    """The folder that the names of a data set's list begin in."""
    prefixes = dataset.get('data_prefix') or {}
    prefix = prefixes.get('img' if _has_frames(dataset) else 'video') or ''
    return os.path.join(dataset.get('data_root') or '', prefix)


def _has_frames(dataset: Mapping[str, Any]) -> bool:
    return str(dataset['type']).endswith('RawframeDataset')


def data_key(dataset: Mapping[str, Any], classes: int | None) -> str:
    """Text that is the same where `check_dataset` looks at the same."""
    read = [dataset.get(k) for k in ('modality', 'filename_tmpl')]
    read += [dataset.get('start_index'), resized_short_side(dataset), classes]
    kind = str(dataset['type'])
    return json.dumps([list_of(dataset), folder_of(dataset), kind, *read])


def check_dataset(dataset: Mapping[str, Any], classes: int | None) -> dict:
    """Checks that all videos of a data set are there.

    Args:
        dataset: As in a config.
        classes: Number of classes of the network, if known.

    Returns:
        `list`, `sha256` of the list, `folder`, `videos` and `classes`
        (counts), `note`: a warning, or None.

    Raises:
        ToolError: The list is broken, or videos are missing or empty.
    """
    ann = list_of(dataset)
    names, labels = read_list(ann)
    video_keys([names])
    if classes is not None and max(labels) >= classes:
        name = names[labels.index(max(labels))]
        raise ToolError(
            f'{ann}: {name} has label {max(labels)}, but the network '
            f'{classes} classes; set model.cls_head.num_classes'
        )
    missing = [
        path
        for paths in progress(_files(dataset, ann, names), ann, len(names))
        for path in paths[:1]
    ]
    if missing:
        shown = ', '.join(missing[:3]) + ', ...' * (len(missing) > 3)
        raise ToolError(
            f'{ann}: {len(missing)} of {len(names)} videos are missing or '
            f'empty: {shown}; prepare them, or make the list again with '
            'tools/data, which leaves out and reports what is missing'
        )
    note = None
    if _has_frames(dataset) and dataset.get('modality') == 'Flow':
        template, first = _template(dataset)
        image = os.path.join(names[0], template.format('x', first))
        note = size_note(dataset, folder_of(dataset), image)
    return {
        'list': ann,
        'sha256': file_sha256(ann),
        'folder': folder_of(dataset),
        'videos': len(names),
        'classes': len(set(labels)),
        'note': note,
    }


def _template(dataset: Mapping[str, Any]) -> tuple[str, int]:
    return (
        dataset.get('filename_tmpl', 'img_{:05}.jpg'),
        dataset.get('start_index', 1),
    )


def _files(dataset: Mapping[str, Any], ann: str, names: Sequence[str]) -> Any:
    """For each video, those of its files that are not there."""
    root = folder_of(dataset)
    if not _has_frames(dataset):
        for name in names:
            yield _absent([os.path.join(root, name)])
        return
    template, first = _template(dataset)
    for name, (_, line) in zip(
        names, read_lines(ann, 'annotation list'), strict=True
    ):
        total = line.rsplit(None, 2)[1]
        if not re.fullmatch('[0-9]{1,7}', total) or int(total) < 1:
            raise ToolError(
                f'{ann}: {name} has no number of frames; extract its flow '
                'and make the list again with tools/data'
            )
        numbers = range(first, first + int(total))
        if dataset.get('modality') == 'Flow':
            files = [template.format(xy, i) for i in numbers for xy in 'xy']
        else:
            files = [template.format(i) for i in numbers]
        yield _absent_frames(os.path.join(root, name), files)


def _absent_frames(folder: str, files: Sequence[str]) -> list[str]:
    try:
        there = set(os.listdir(folder))
    except OSError:
        there = set()
    missing = [os.path.join(folder, f) for f in files if f not in there]
    # one listing names all files; a look at each would be slow, and writing
    # that was cut short leaves its mark on the last
    return missing or _absent([os.path.join(folder, f) for f in files[-2:]])


def _absent(paths: Sequence[str]) -> list[str]:
    absent = []
    for path in paths:
        try:
            there = os.stat(path).st_size > 0
        except OSError:
            there = False
        if not there:
            absent.append(path)
    return absent


def check_overlap(train: str | Path, test: str | Path) -> None:
    """Raises ToolError where a test video is also trained on.

    `run/01.avi` and `walk/01.avi` are two videos; `run/01.avi` and `01.mp4`
    are one, named with and without its folder.
    """
    mine = {_parts(name) for name in read_list(train)[0]}
    ends = {end for parts in mine for end in _ends(parts)}
    both = [
        name
        for name in read_list(test)[0]
        if (parts := _parts(name)) in ends or not mine.isdisjoint(_ends(parts))
    ]
    if both:
        raise ToolError(
            f'{len(both)} videos of {test} are also in {train}, for example '
            f'{both[0]}; a number measured on them would mean nothing'
        )


def _parts(name: str) -> tuple[str, ...]:
    """Folders and stem of a video, as `video_keys` compares them."""
    path = PurePosixPath(name.replace('\\', '/').replace(' ', '_'))
    if path.suffix.lower() in VIDEO_EXTENSIONS:
        path = path.with_suffix('')
    return path.parts


def _ends(parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [parts[i:] for i in range(len(parts))]


def check_streams(lists: Sequence[str | Path]) -> None:
    """Raises ToolError unless all lists hold the same labelled videos."""
    read = [read_list(path) for path in lists]
    keys = video_keys([names for names, _ in read])
    same_videos(
        [(str(p), set(k)) for p, k in zip(lists, keys, strict=True)],
        'prepare all streams from the same videos: make the lists again with '
        'the converter of tools/data and --common, which keeps only clips '
        'that have both video and frames, or with --exclude bad.txt for '
        'clips that cannot be used',
    )
    first = dict(zip(keys[0], read[0][1], strict=True))
    for path, own, (_, labels) in zip(
        lists[1:], keys[1:], read[1:], strict=True
    ):
        for key, label in zip(own, labels, strict=True):
            if first[key] != label:
                raise ToolError(
                    f'{lists[0]} and {path} disagree on {key}: label '
                    f'{first[key]} and {label}; prepare both with the same '
                    'label map'
                )
