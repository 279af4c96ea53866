"""The pictures of a video, from a file or a folder; sheets of pictures."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from lgd_tools.cli import VIDEO_EXTENSIONS, ToolError
from lgd_tools.jobs import JobError
from lgd_tools.video import VideoFile, probe, write_png

GAP, LINE = 4, 22  # pixels between pictures, height of a caption
PAPER, INK = (250, 250, 250), (30, 30, 30)
FONT = cv2.FONT_HERSHEY_SIMPLEX, 0.45


# ------------------------------------------------------------------- reading
def find_pictures(root: Path, name: str) -> Path:
    """The video, or the folder of frames, of a name of the annotations."""
    for suffix in ('', *VIDEO_EXTENSIONS):
        path = root / f'{name}{suffix}'
        if path.is_file() or not suffix and path.is_dir():
            return path
    raise ToolError(
        f'there is no video and no folder of frames {root / name}: name the '
        'folder that holds <class>/<video>.avi or <class>/<video>/00001.png'
    )


def list_frames(folder: Path) -> list[Path]:
    """The numbered pictures 00001.png (or .jpg, or img_00001.jpg) ..."""
    pattern = re.compile(r'(?:img_)?(\d{5,6})\.(?:png|jpe?g)')
    found = sorted(p for p in folder.iterdir() if pattern.fullmatch(p.name))
    for number, path in enumerate(found, 1):
        if int(pattern.fullmatch(path.name)[1]) != number:
            raise ToolError(f'{folder}: picture {number:05d} is missing')
    if not found:
        raise ToolError(f'the folder {folder} holds no frames: extract them')
    return found


def read_pictures(path: Path) -> Iterator[np.ndarray]:
    """Every frame of a video, or of a folder, uint8 (H, W, 3) RGB.

    ToolError comes after the last good one.
    """
    if path.is_dir():
        for file in list_frames(path):
            picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if picture is None:
                raise ToolError(f'{file} is broken: extract the frames again')
            yield np.ascontiguousarray(picture[..., ::-1])
        return
    try:
        with VideoFile(path) as video:
            for frame in video.frames('rgb24'):
                yield frame.to_ndarray()
    except JobError as error:
        raise ToolError(
            f'{path}: {error}; check it with tools/data/check_videos.py'
        ) from None


def measure(path: Path) -> tuple[int, int, int]:
    """Number of frames, width and height, quickly: decodes one frame."""
    if path.is_dir():
        height, width = next(read_pictures(path)).shape[:2]
        return len(list_frames(path)), width, height
    try:
        return probe(path)
    except JobError as error:
        raise ToolError(f'{path}: {error}') from None


def spread(first: int, last: int, count: int) -> list[int]:
    """Whole numbers at even distances, both ends among them; none twice."""
    even = np.linspace(first, last, count).round().astype(int)
    return np.unique(even).tolist()


# -------------------------------------------------------------------- drawing
def text_width(text: str) -> int:
    return cv2.getTextSize(text, *FONT, 1)[0][0]


def put_text(
    canvas: np.ndarray,
    text: str,
    place: tuple[int, int],
    colour: tuple[int, int, int] = INK,
) -> None:
    """Write; ``place`` is (x, y) of the left end of the base line."""
    cv2.putText(canvas, text, place, *FONT, colour, 1, cv2.LINE_AA)


def contact_sheet(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]],
) -> np.ndarray:
    """Rows of pictures, uint8 (h, w, 3), each row with a caption above."""

    def pad(picture: np.ndarray, *margins: int) -> np.ndarray:
        """Add paper above, below, left and right."""
        constant = cv2.BORDER_CONSTANT
        return cv2.copyMakeBorder(picture, *margins, constant, value=PAPER)

    strips = []
    for caption, pictures in rows:
        highest = max(map(len, pictures))
        row = [pad(p, 0, highest - len(p), 0, GAP) for p in pictures]
        strip = pad(np.hstack(row), LINE, GAP, GAP, 0)
        put_text(strip, caption, (GAP, LINE - 7))
        strips.append(strip)
    widest = max(strip.shape[1] for strip in strips)
    return np.vstack([pad(s, 0, 0, 0, widest - s.shape[1]) for s in strips])


def write_contact_sheet(
    path: str | os.PathLike,
    clips: Mapping[str, np.ndarray],
    columns: int = 8,
    short_side: int = 112,
) -> Path:
    """Write a PNG with a row of frames, evenly spread, of each clip.

    ``clips`` are uint8 (T, H, W, 3), RGB, by their captions; pictures have
    a shorter side of ``short_side`` pixels.
    """
    rows = []
    for caption, clip in clips.items():
        times = spread(0, len(clip) - 1, columns)
        height, width = clip.shape[1:3]
        scale = short_side / min(height, width)
        size = round(width * scale), round(height * scale)
        area = cv2.INTER_AREA
        shown = [cv2.resize(clip[t], size, interpolation=area) for t in times]
        rows.append((f'{caption}   frames {times[0]} to {times[-1]}', shown))
    write_png(path, contact_sheet(rows))
    return Path(path)
