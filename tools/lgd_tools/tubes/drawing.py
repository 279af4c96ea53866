"""Tubes drawn on frames: boxes with class and score, a legend with bars.

True tubes are white, predicted ones thicker, each in a colour of its own.
In the legend every tube has a row: its colour, score, class and frames, and a
bar of when it is there, with a mark at the frame shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lgd_tools.pictures import INK, put_text, text_width

# distinguishable for the colour-blind too (Okabe and Ito), RGB
COLOURS = (
    *((230, 159, 0), (86, 180, 233), (240, 228, 66), (0, 158, 115)),
    *((213, 94, 0), (204, 121, 167), (0, 114, 178)),
)
WHITE, GREY = (255, 255, 255), (110, 110, 110)
_GOOD_SIDE = 480  # pictures with a shorter side are enlarged
_ROW, _LABEL = 20, 18  # height of a row of the legend, of a label


@dataclass(frozen=True)
class DrawnTube:
    """A tube to draw."""

    name: str  # of its class
    start: int  # its first frame
    boxes: np.ndarray  # (F, 4) x1 y1 x2 y2 in parts of the width and height
    scores: np.ndarray | None = None  # (F,) of each frame; None: a true tube

    def __str__(self) -> str:
        kind = 'truth' if self.scores is None else f'{self.scores.mean():.3f}'
        last = self.start + len(self.boxes) - 1
        return f'{kind} {self.name} frames {self.start}-{last}'


def colours_of(tubes: Sequence[DrawnTube]) -> list[tuple[int, int, int]]:
    """White for true tubes, the next colour for each predicted one."""
    predicted = np.cumsum([tube.scores is not None for tube in tubes])
    return [
        WHITE if tube.scores is None else COLOURS[(n - 1) % len(COLOURS)]
        for tube, n in zip(tubes, predicted, strict=True)
    ]


def draw_boxes(
    picture: np.ndarray, frame: int, tubes: Sequence[DrawnTube]
) -> np.ndarray:
    """The picture, enlarged where small, with boxes and labels.

    uint8 (H, W, 3) RGB; the result has an even height and width, the same
    for every frame. The surest of the tubes comes first.
    """
    zoom = max(1, round(_GOOD_SIDE / min(picture.shape[:2])))
    height, width = (2 * (zoom * side // 2) for side in picture.shape[:2])
    canvas = cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_CUBIC
    )
    here = [
        (tube, frame - tube.start, colour)
        for tube, colour in zip(tubes, colours_of(tubes), strict=True)
        if 0 <= frame - tube.start < len(tube.boxes)
    ]
    # the truth below, of the predicted tubes the surest on top
    here.sort(key=lambda item: item[0].scores is None)
    labels = []
    for tube, index, colour in reversed(here):
        box = tube.boxes[index] * [width, height, width, height]
        x1, y1, x2, y2 = np.rint(box).astype(int).tolist()
        truth = tube.scores is None
        for ink, thick in ((INK, 4 - truth), (colour, 2 - truth)):
            cv2.rectangle(canvas, (x1, y1), (x2, y2), ink, thick)
        if not truth:
            text = f'{tube.name} {tube.scores[index]:.2f}'
            labels.insert(0, (text, x1, y1, colour))
    taken: list[tuple[int, int, int]] = []  # left, right, top
    for text, x, y, colour in labels:
        wide = text_width(text) + 6
        left = min(max(x - 1, 0), max(width - wide, 0))
        top = max(y - _LABEL - 2, 0)
        # above the box, or further down until nothing is hidden
        while any(
            left < r and a < left + wide and abs(top - t) < _LABEL
            for a, r, t in taken
        ):
            top += _LABEL + 1
        taken.append((left, left + wide, top))
        corner = left + wide - 1, top + _LABEL - 1
        cv2.rectangle(canvas, (left, top), corner, colour, -1)
        put_text(canvas, text, (left + 3, top + 13))
    return canvas


def draw_legend(
    width: int,
    tubes: Sequence[DrawnTube],
    total: int,
    frame: int | None = None,
) -> np.ndarray:
    """A row for each tube, uint8 (h, width, 3), h even; a mark at the frame.

    `total` is the number of frames of the video.
    """
    panel = np.full((max(len(tubes), 1) * _ROW + 8, width, 3), INK, np.uint8)
    texts = [str(tube) for tube in tubes] or ['no tube']
    widest = max(text_width(text) for text in texts)
    left = min(44 + widest + 12, int(0.6 * width))

    def at(frame: float) -> int:
        return round(left + frame / total * (width - 10 - left))

    for row, (text, tube, colour) in enumerate(
        zip(texts, tubes, colours_of(tubes), strict=False)
    ):
        top, middle = 4 + row * _ROW, 4 + row * _ROW + _ROW // 2
        bar = at(tube.start), at(tube.start + len(tube.boxes))
        put_text(panel, text, (44, top + _ROW - 6), WHITE)
        panel[top : top + _ROW, left - 6 :] = INK  # cuts a text too long
        cv2.line(panel, (left, middle), (at(total), middle), GREY, 1)
        for x1, x2 in ((8, 36), bar):
            corners = (x1, middle - 4), (max(x2 - 1, x1), middle + 3)
            cv2.rectangle(panel, *corners, colour, -1)
    if not tubes:
        put_text(panel, texts[0], (10, _ROW - 2), WHITE)
    if frame is not None:
        x = at(frame + 0.5)
        cv2.line(panel, (x, 3), (x, len(panel) - 4), (255, 60, 60), 1)
    return panel
