"""Are the data of a config there? Counts, presence, overlap.

Everything that would stop a run after hours is looked at before it begins.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
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
    """What a data set of a config reads."""

    ann_file: str
    folder: str  # where the names of the list begin
    frames: bool  # folders of frames instead of videos
    flow: bool  # they hold optical flow
    template: str  # of the names of frames
    first: int  # number of the first frame

    def check(self) -> dict:
        """Check that all videos are there; what is known of them."""
        names, _ = read_list(self.ann_file)
        video_keys([names])  # refuses twins
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
        }

    def _missing(self, names: Sequence[str]) -> Iterator[str]:
        """For each video its first file that is not there, or ''."""
        lines = read_lines(self.ann_file, 'annotation list')
        for name, (_, line) in zip(names, lines, strict=True):
            path = os.path.join(self.folder, name)
            if not self.frames:
                yield '' if _has_bytes(path) else path
                continue
            _, *numbers = line.rsplit(None, 2)
            number = '0*[1-9][0-9]{0,6}'
            if len(numbers) < 2 or not re.fullmatch(number, numbers[0]):
                raise ToolError(
                    f'{self.ann_file}: {name} has no number of frames; '
                    'extract its flow and make the list again with tools/data'
                )
            # one listing names all files; a look at each would be slow, and
            # writing that was cut short leaves its mark on the last
            there = set(os.listdir(path) if os.path.isdir(path) else [])
            last = self.first + int(numbers[0]) - 1
            files = map(self._files, range(self.first, last + 1))
            missing = (f for f in chain.from_iterable(files) if f not in there)
            empty = (
                f
                for f in self._files(last)
                if not _has_bytes(os.path.join(path, f))
            )
            lost = next(chain(missing, empty), '')
            yield lost and os.path.join(path, lost)

    def _files(self, number: int) -> list[str]:
        """The files of one frame."""
        axes = [('x',), ('y',)] if self.flow else [()]
        return [self.template.format(*axis, number) for axis in axes]


def listed_videos(config: Mapping[str, Any], role: str) -> ListedVideos:
    """What a config reads in a role ('train', 'val', 'test')."""
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
    )


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
