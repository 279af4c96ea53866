"""Are the data of a config there? Counts, presence, overlap.

Everything that would stop a run after hours is looked at before it begins.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, file_sha256, progress, read_lines
from lgd_tools.results.video_names import (
    name_parts,
    read_list,
    require_same_videos,
    video_keys,
)


@dataclass(frozen=True)
class ListedVideos:
    """What a data set of a config reads.

    Attributes:
        ann_file: Its list.
        folder: Where the names of the list begin.
        frames: Folders of frames instead of videos.
        flow: They hold optical flow.
        template, first: Names of the frames, number of the first one.
        short_side: Of the frames after resizing; see
            :func:`resized_short_side`.
        classes: Of the network; None: unknown.
    """

    ann_file: str
    folder: str
    frames: bool
    flow: bool
    template: str
    first: int
    short_side: int | None
    classes: int | None

    @property
    def key(self) -> str:
        """The same text where :meth:`check` looks at the same."""
        return json.dumps(astuple(self))

    def check(self) -> dict:
        """Check that all videos are there; what is known of them.

        Raises:
            ToolError: The list is broken, or videos are missing or empty.
        """
        names, labels = read_list(self.ann_file)
        video_keys([names])  # refuses twins
        label, name = max(zip(labels, names, strict=True))
        if self.classes is not None and label >= self.classes:
            raise ToolError(
                f'{self.ann_file}: {name} has label {label}, but the network '
                f'{self.classes} classes; set model.cls_head.num_classes'
            )
        looked = progress(self._missing(names), self.ann_file, len(names))
        missing = [path for path in looked if path]
        if missing:
            shown = ', '.join(missing[:3]) + ', ...' * (len(missing) > 3)
            raise ToolError(
                f'{self.ann_file}: {len(missing)} of {len(names)} videos are '
                f'missing or empty: {shown}; prepare them, or make the list '
                'again with tools/data, which leaves out and reports what is '
                'missing'
            )
        return {
            'list': self.ann_file,
            'sha256': file_sha256(self.ann_file),
            'folder': self.folder,
            'videos': len(names),
            'note': self._size_note(names[0]),
        }

    def _missing(self, names: Sequence[str]) -> Iterator[str]:
        """For each video its first file that is not there, or ''."""
        lines = read_lines(self.ann_file, 'annotation list')
        for name, (_, line) in zip(names, lines, strict=True):
            path = os.path.join(self.folder, name)
            if not self.frames:
                yield '' if _has_bytes(path) else path
                continue
            total = line.rsplit(None, 2)[1]
            if not re.fullmatch('0*[1-9][0-9]{0,6}', total):
                raise ToolError(
                    f'{self.ann_file}: {name} has no number of frames; '
                    'extract its flow and make the list again with tools/data'
                )
            # one listing names all files; a look at each would be slow, and
            # writing that was cut short leaves its mark on the last
            there = set(os.listdir(path) if os.path.isdir(path) else [])
            last = self.first + int(total) - 1
            files = self._files(self.first, last)
            lost = next((f for f in files if f not in there), None)
            for file in self._files(last, last):
                if lost is None and not _has_bytes(os.path.join(path, file)):
                    lost = file
            yield '' if lost is None else os.path.join(path, lost)

    def _files(self, first: int, last: int) -> Iterator[str]:
        axes = [('x',), ('y',)] if self.flow else [()]
        for number in range(first, last + 1):
            for axis in axes:
                yield self.template.format(*axis, number)

    def _size_note(self, name: str) -> str | None:
        """A warning where flow was extracted at another size than used.

        Flow is a displacement in pixels of the size that it was extracted
        at, and the stock Resize leaves its values as they are.
        """
        if not (self.frames and self.flow and self.short_side):
            return None
        from PIL import Image

        image = self.template.format('x', self.first)
        path = os.path.join(self.folder, name, image)
        try:
            with Image.open(path) as opened:
                found, wanted = min(opened.size), self.short_side
        except OSError as error:
            raise ToolError(
                f'{path} is not a readable image: {error}; extract its flow '
                'again with tools/data/extract_flow.py'
            ) from error
        if found == wanted:
            return None
        return (
            f'the flow in {self.folder} has a short side of {found} pixels, '
            f'but the pipeline resizes it to {wanted}; its values are '
            f'{found / wanted:.2g} times what they are at {wanted}; extract '
            f'it with tools/data/extract_flow.py --short-side {wanted}'
        )


def listed_videos(
    config: Mapping[str, Any], role: str, classes: int | None
) -> ListedVideos:
    """What a config reads in a role ('train', 'val', 'test').

    Raises:
        ToolError: No plain list of videos or frames.
    """
    dataset = config[f'{role}_dataloader'].get('dataset') or {}
    while isinstance(dataset.get('dataset'), Mapping):  # wrapped
        dataset = dataset['dataset']
    kind = str(dataset.get('type')).rsplit('.', 1)[-1].removeprefix('Robust')
    if kind not in ('VideoDataset', 'RawframeDataset'):
        raise ToolError(
            f'{role}_dataloader has a data set of type {kind}; an experiment '
            'needs (Robust)VideoDataset or (Robust)RawframeDataset'
        )
    frames = kind == 'RawframeDataset'
    root = dataset.get('data_root') or ''
    prefixes = dataset.get('data_prefix') or {}
    prefix = prefixes.get('img' if frames else 'video') or ''
    return ListedVideos(
        ann_file=os.path.join(root, dataset.get('ann_file') or ''),
        folder=os.path.join(root, prefix),
        frames=frames,
        flow=dataset.get('modality') == 'Flow',
        template=dataset.get('filename_tmpl', 'img_{:05}.jpg'),
        first=dataset.get('start_index', 1),
        short_side=resized_short_side(dataset.get('pipeline') or ()),
        classes=classes,
    )


def resized_short_side(pipeline: Sequence[Mapping[str, Any]]) -> int | None:
    """Short side in pixels after the first Resize of a pipeline.

    None where it does not depend on the pipeline alone: no Resize, a crop
    before it, or a factor instead of a size.
    """
    for step in pipeline:
        kind, scale = str(step.get('type')), step.get('scale')
        if 'Crop' in kind or 'Rescale' in kind:
            return None
        if kind.endswith('Resize') and isinstance(scale, list | tuple):
            # -1: whatever keeps the shape
            return int(max(scale) if min(scale) == -1 else min(scale))
    return None


def _has_bytes(path: str) -> bool:
    return os.path.exists(path) and os.path.getsize(path) > 0


def check_overlap(train: str | Path, test: str | Path) -> None:
    """Raise ToolError where a test video is also trained on.

    `run/01.avi` and `run/01.mp4` are one video, `walk/01.avi` is another.
    """
    trained = set(map(name_parts, read_list(train)[0]))
    both = [n for n in read_list(test)[0] if name_parts(n) in trained]
    if both:
        raise ToolError(
            f'{len(both)} videos of {test} are also in {train}, for example '
            f'{both[0]}; a number measured on them would mean nothing'
        )


def check_streams(lists: Sequence[str | Path]) -> None:
    """Raise ToolError unless all lists hold the same labelled videos."""
    names, labels = zip(*map(read_list, lists), strict=True)
    known = [
        dict(zip(*pair, strict=True))
        for pair in zip(video_keys(names), labels, strict=True)
    ]
    require_same_videos(
        list(zip(lists, known, strict=True)),
        'prepare all streams from the same videos: make the lists again with '
        'the converter of tools/data and --exclude bad.txt, a file of the '
        'videos that one of them lacks',
    )
