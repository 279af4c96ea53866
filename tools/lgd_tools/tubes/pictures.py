"""Draw tubes on frames: boxes with class and score, a legend with time bars.

True tubes are dashed and white, predicted ones solid, each in a colour of
its own. Below the picture every tube has a row: its colour, class, score and
frames, and a bar of when it is there, with a mark at the frame shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

# distinguishable for the colour-blind too (Okabe and Ito), RGB; repeated
# where more tubes are drawn, then told apart by their number
COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (240, 228, 66),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
)
TRUTH, DARK, PAPER, LINE = (255, 255, 255), (20, 20, 20), 32, (110, 110, 110)
_GOOD_SIDE = 480  # pictures with a shorter side are enlarged
_FONT, _SCALE, _ROW = cv2.FONT_HERSHEY_SIMPLEX, 0.45, 20


@dataclass(frozen=True)
class DrawnTube:
    """A tube to draw.

    Attributes:
        name: Its class.
        frames: (F,) int, the frames in which it has a box, ascending.
        boxes: (F, 4) x1 y1 x2 y2 in parts of the width and height.
        score: How sure the network is; None: a true tube.
        scores: (F,) its score in each frame, where it has one.
    """

    name: str
    frames: np.ndarray
    boxes: np.ndarray
    score: float | None = None
    scores: np.ndarray | None = None

    def at(self, frame: int) -> int | None:
        """Index of its box in a frame, or None."""
        index = int(np.searchsorted(self.frames, frame))
        there = index < len(self.frames) and self.frames[index] == frame
        return index if there else None


def zoom_of(height: int, width: int) -> int:
    """How many times a picture is enlarged, so that text is legible."""
    return max(1, round(_GOOD_SIDE / min(height, width)))


def colours_of(tubes: Sequence[DrawnTube]) -> list[tuple[int, int, int]]:
    """White for true tubes, the next colour for each predicted one."""
    colours, count = [], 0
    for tube in tubes:
        if tube.score is None:
            colours.append(TRUTH)
        else:
            colours.append(COLOURS[count % len(COLOURS)])
            count += 1
    return colours


def draw_frame(
    picture: np.ndarray, frame: int, tubes: Sequence[DrawnTube], total: int
) -> np.ndarray:
    """A frame with its boxes, and the legend below.

    Args:
        picture: uint8 (H, W, 3) RGB.
        frame: Its number, from 0.
        tubes: All tubes of the video, those not in this frame too.
        total: Frames of the video.

    Returns:
        uint8 RGB, even height and width, the same for every frame.
    """
    canvas = draw_boxes(picture, frame, tubes)
    legend = draw_legend(canvas.shape[1], tubes, total, frame)
    return np.concatenate([canvas, legend])


def draw_boxes(
    picture: np.ndarray, frame: int, tubes: Sequence[DrawnTube]
) -> np.ndarray:
    """The picture, enlarged where small, with boxes and labels."""
    zoom = zoom_of(*picture.shape[:2])
    canvas = cv2.resize(
        picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC
    )
    height, width = (2 * (side // 2) for side in canvas.shape[:2])
    canvas = np.ascontiguousarray(canvas[:height, :width])
    labels = []
    # the truth below, of the predicted tubes the surest on top
    pairs = list(zip(tubes, colours_of(tubes), strict=True))[::-1]
    for tube, colour in sorted(pairs, key=lambda p: p[0].score is not None):
        index = tube.at(frame)
        if index is None:
            continue
        box = tube.boxes[index] * [width, height, width, height]
        x1, y1, x2, y2 = np.rint(box).astype(int)
        if tube.score is None:
            _dashed(canvas, (x1, y1, x2, y2), colour)
            continue
        cv2.rectangle(canvas, (x1, y1), (x2, y2), DARK, 4)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, 2)
        score = tube.score if tube.scores is None else tube.scores[index]
        labels.insert(0, (f'{tube.name} {score:.2f}', x1, y1, colour))
    taken: list[tuple[int, int, int, int]] = []
    for text, x, y, colour in labels:
        taken.append(_label(canvas, text, x, y, colour, taken))
    note = f'frame {frame}'
    _text(canvas, note, width - _width(note) - 6, height - 6, TRUTH, DARK)
    return canvas


def draw_legend(
    width: int, tubes: Sequence[DrawnTube], total: int, frame: int | None
) -> np.ndarray:
    """A row for each tube, uint8 (h, width, 3), h even.

    Args:
        width: Of the picture in pixels.
        tubes: The tubes.
        total: Frames of the video.
        frame: Where to put the mark; None: no mark.
    """
    rows = max(len(tubes), 1)
    panel = np.full((rows * _ROW + 8, width, 3), PAPER, np.uint8)
    if not tubes:
        _text(panel, 'no tube', 10, _ROW - 2, TRUTH)
        return panel
    texts = []
    for tube in tubes:
        kind = 'truth' if tube.score is None else f'{tube.score:.2f}'
        texts.append(
            f'{kind}  {tube.name}  {tube.frames[0]}-{tube.frames[-1]}'
        )
    text_end = min(
        44 + max(_width(text) for text in texts) + 12, int(0.6 * width)
    )
    bar = np.array([text_end, width - 10])
    for row, (tube, colour) in enumerate(
        zip(tubes, colours_of(tubes), strict=True)
    ):
        y = 4 + row * _ROW
        middle = y + _ROW // 2
        if tube.score is None:
            _dashed_line(panel, (8, middle), (36, middle), colour)
        else:
            cv2.line(panel, (8, middle), (36, middle), colour, 3)
        _text(panel, texts[row], 44, y + _ROW - 6, TRUTH)
        panel[y : y + _ROW, bar[0] - 6 :] = PAPER  # cuts a text too long
        cv2.line(panel, (bar[0], middle), (bar[1], middle), LINE, 1)
        for first, last in _runs(tube.frames):
            ends = bar[0] + np.array([first, last + 1]) / total * np.diff(bar)
            left, right = np.rint(ends).astype(int)
            panel[middle - 4 : middle + 4, left : max(right, left + 1)] = (
                colour
            )
    if frame is not None:
        x = round(bar[0] + (frame + 0.5) / total * float(np.diff(bar)[0]))
        cv2.line(panel, (x, 3), (x, panel.shape[0] - 4), (255, 60, 60), 1)
    return panel


def contact_sheet(
    title: str, cells: Sequence[np.ndarray], legend: np.ndarray, columns: int
) -> np.ndarray:
    """Pictures of one size in a grid, a title above, the legend below."""
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    height, width = cells[0].shape[:2]
    gap, head = 6, 30
    sheet = np.full(
        (
            head + rows * (height + gap) + legend.shape[0],
            max(columns * (width + gap) - gap, legend.shape[1]),
            3,
        ),
        PAPER,
        np.uint8,
    )
    _text(sheet, title, 8, 20, TRUTH)
    for index, cell in enumerate(cells):
        top = head + index // columns * (height + gap)
        left = index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = cell
    sheet[sheet.shape[0] - legend.shape[0] :, : legend.shape[1]] = legend
    return sheet


# ---------------------------------------------------------------- small parts
def _runs(frames: np.ndarray) -> list[tuple[int, int]]:
    """First and last frame of every run without a gap."""
    cuts = np.flatnonzero(np.diff(frames) > 1)
    firsts = np.r_[0, cuts + 1]
    lasts = np.r_[cuts, len(frames) - 1]
    return list(zip(frames[firsts], frames[lasts], strict=True))


def _width(text: str) -> int:
    return cv2.getTextSize(text, _FONT, _SCALE, 1)[0][0]


def _text(
    canvas: np.ndarray,
    text: str,
    x: int,
    y: int,
    colour: tuple[int, int, int],
    paper: tuple[int, int, int] | None = None,
) -> None:
    """Write with (x, y) the left end of the base line."""
    if paper is not None:
        cv2.rectangle(
            canvas, (x - 3, y - 13), (x + _width(text) + 3, y + 5), paper, -1
        )
    cv2.putText(canvas, text, (x, y), _FONT, _SCALE, colour, 1, cv2.LINE_AA)


def _label(
    canvas: np.ndarray,
    text: str,
    x: int,
    y: int,
    colour: tuple[int, int, int],
    taken: list[tuple[int, int, int, int]],
) -> tuple[int, int, int, int]:
    """Write above (x, y), or where there is room; returns the area used."""
    height, width = canvas.shape[:2]
    wide, high = _width(text) + 6, 18
    left = min(max(x - 1, 0), max(width - wide, 0))
    # above the box, then further down in steps, until nothing is hidden
    places = [y - high - 2, *range(y + 2, height - high, high + 1)]
    places = [p for p in places if 0 <= p <= height - high] or [0]
    spot = (left, places[0], left + wide, places[0] + high)
    for top in places:
        trial = (left, top, left + wide, top + high)
        if not any(_meet(trial, other) for other in taken):
            spot = trial
            break
    ink = DARK if np.dot(colour, (0.3, 0.59, 0.11)) > 110 else TRUTH
    cv2.rectangle(canvas, spot[:2], (spot[2] - 1, spot[3] - 1), colour, -1)
    _text(canvas, text, left + 3, spot[1] + 13, ink)
    return spot


def _meet(a: Sequence[int], b: Sequence[int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _dashed(
    canvas: np.ndarray,
    box: tuple[int, int, int, int],
    colour: tuple[int, int, int],
) -> None:
    x1, y1, x2, y2 = box
    for start, end in (
        ((x1, y1), (x2, y1)),
        ((x2, y1), (x2, y2)),
        ((x1, y2), (x2, y2)),
        ((x1, y1), (x1, y2)),
    ):
        cv2.line(canvas, start, end, DARK, 4)
        _dashed_line(canvas, start, end, colour)


def _dashed_line(
    canvas: np.ndarray,
    start: tuple[int, int],
    end: tuple[int, int],
    colour: tuple[int, int, int],
) -> None:
    start, end = np.array(start), np.array(end)
    length = max(float(np.hypot(*(end - start))), 1)
    for at in np.arange(0, length, 12):
        first = start + (end - start) * at / length
        last = start + (end - start) * min(at + 7, length) / length
        cv2.line(
            canvas,
            tuple(np.rint(first).astype(int).tolist()),
            tuple(np.rint(last).astype(int).tolist()),
            colour,
            2,
        )
