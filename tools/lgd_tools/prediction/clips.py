"""What a network is shown: whole videos, or windows of long ones."""

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset

from lgd_mmaction.video.errors import BrokenVideoError
from lgd_mmaction.video.reader import Video
from lgd_tools.cli import ToolError, list_videos


def find_inputs(inputs: Iterable[str]) -> list[str]:
    """Files of what the command line names: files, folders, patterns."""
    found: dict[str, None] = {}
    for text in inputs:
        if os.path.isdir(text):
            paths = [os.path.join(text, name) for name in list_videos(text)]
        elif os.path.exists(text):  # a name may look like a pattern
            paths = [text]
        else:
            matches = glob.glob(text, recursive=True)
            paths = sorted(filter(os.path.isfile, matches))
        if not paths:
            raise ToolError(
                f'{text!r} is no file, folder or pattern that leads to a '
                'video: check the path'
            )
        found.update(dict.fromkeys(paths))
    return list(found)


# a video, its first frame, and the one behind the last; None: all
Window = tuple[str, int, int | None]


def windows_of(
    path: str, seconds: float | None, stride: float, cache: str
) -> list[Window]:
    """Windows at even distances over a whole video; the last one ends it.

    None seconds are one window, the whole video, which is not opened.
    """
    if seconds is None:
        return [(path, 0, None)]
    with Video(path, index_cache=cache) as video:
        frames, fps = video.num_frames, video.fps or 25
    length = min(frames, max(1, round(seconds * fps)))
    step = max(1, round(stride * fps))
    starts = [*range(0, frames - length, step), frames - length]
    return [(path, start, start + length) for start in starts]


def pack(steps: Sequence, video: Any, fps: float, window: Window) -> dict:
    """What ``steps``, those after VideoOpen, make of an open video."""
    name, start, stop = window
    results = dict(
        filename=name,
        video_reader=video,
        total_frames=(stop or video.num_frames) - start,
        avg_fps=fps,
        start_index=start,
        modality='RGB',
    )
    for step in steps:
        results = step(results)
    return results


@dataclass
class Clips(Dataset):
    """Windows of videos, packed for one or two networks.

    An item is (path, start and end in seconds, one packed sample a network),
    or (path, reason) where the video cannot be read.
    """

    windows: Sequence[Window]
    pipelines: Sequence[Sequence]  # the steps of each network
    cache: str  # the ``index_cache`` of ``VideoOpen``

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple:
        window, samples = self.windows[index], []
        path, start, stop = window
        try:
            for first, *steps in self.pipelines:
                opened = first(dict(filename=path, index_cache=self.cache))
                video, fps = opened['video_reader'], opened['avg_fps']
                stop = stop or video.num_frames
                samples.append(pack(steps, video, fps, window))
        except BrokenVideoError as error:
            return path, error.reason
        return path, (start / (fps or 25), stop / (fps or 25)), samples
