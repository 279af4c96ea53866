"""A few frames of a clip, over its whole length, for pictures."""

import os
from pathlib import Path

import numpy as np

from lgd_tools.cli import ToolError

# frames of a folder, best first: colour, else the horizontal flow
_FRAME_PATTERNS = ('img_*.jpg', 'flow_x_*.jpg', '*.jpg', '*.png')


def find_clip(name: str, folder: str | os.PathLike | None) -> Path:
    """The file, or the folder of frames, of a clip named in a score file.

    Args:
        name: As the data set gave it.
        folder: Where lists are relative to; None: the name is a path.

    Raises:
        ToolError: It is not there.
    """
    name = name.replace('\\', '/')
    tried = [Path(name)]
    if folder is not None:
        tried.insert(0, Path(folder) / name)
    for path in tried:
        if path.exists():
            return path
    raise ToolError(
        f'there is no clip {tried[0]}: name the folder that the paths are '
        'relative to with --videos, or run where the test was run'
    )


def sample_frames(path: Path, count: int) -> tuple[list[np.ndarray], list]:
    """Frames at even distances, the first and the last among them.

    Args:
        path: A video, or a folder of numbered frames.
        count: How many, at least 2; a shorter clip gives all it has.

    Returns:
        uint8 (H, W, 3) RGB or (H, W) pictures, and their times in seconds
        (of a folder: frame numbers, int, from 1).

    Raises:
        ToolError: It cannot be read.
    """
    if path.is_dir():
        return _from_folder(path, count)
    import av

    try:
        # decoded twice, so that a long clip need not fit into memory
        with av.open(os.fspath(path)) as container:
            total = sum(1 for _ in container.decode(video=0))
        wanted = set(_spread(total, count))
        with av.open(os.fspath(path)) as container:
            found = [
                (frame.to_ndarray(format='rgb24'), frame.time)
                for i, frame in enumerate(container.decode(video=0))
                if i in wanted
            ]
    except (av.FFmpegError, IndexError, ValueError, OSError) as error:
        raise ToolError(
            f'the clip {path} cannot be read ({error}): check it with '
            'tools/data/check_videos.py'
        ) from None
    if not found:
        raise ToolError(f'the clip {path} holds no frame: make it again')
    times = [0.0 if time is None else float(time) for _, time in found]
    return [picture for picture, _ in found], [t - times[0] for t in times]


def _from_folder(path: Path, count: int) -> tuple[list[np.ndarray], list]:
    from matplotlib.image import imread

    for pattern in _FRAME_PATTERNS:
        files = sorted(path.glob(pattern))
        if files:
            break
    else:
        raise ToolError(f'the folder {path} holds no frames: extract them')
    wanted = _spread(len(files), count)
    try:
        return [imread(files[i]) for i in wanted], [i + 1 for i in wanted]
    except (OSError, ValueError) as error:
        raise ToolError(f'a frame of {path} is broken: {error}') from None


def _spread(total: int, count: int) -> list[int]:
    if total <= count:
        return list(range(total))
    return [round(i * (total - 1) / (count - 1)) for i in range(count)]
