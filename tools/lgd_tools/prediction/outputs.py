"""Predictions as tables, pictures and videos with labels."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lgd_tools.cli import write_text
from lgd_tools.figures import BLUE, new_figure
from lgd_tools.video import VideoFile, write_video

_SHOWN = 8  # classes in a timeline
_BLUE = (90, 170, 255)


@dataclass
class Prediction:
    """Scores (K,) of a stretch of a video, in seconds."""

    video: str
    start: float
    end: float
    scores: np.ndarray

    def top(self, classes: Sequence[str], k: int) -> list[tuple[str, float]]:
        """The k best classes and their scores."""
        # ties fall as in the stock metric
        best = np.argsort(self.scores)[: -k - 1 : -1]
        return [(classes[i], float(self.scores[i])) for i in best]


def write_csv(
    path: Path, found: Sequence[Prediction], classes: Sequence[str], k: int
) -> None:
    """One line a stretch: video,start,end,class_1,score_1, ..."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    head = [f'{what}_{i + 1}' for i in range(k) for what in ('class', 'score')]
    table.writerow(['video', 'start', 'end', *head])
    for one in found:
        row = [one.video, f'{one.start:.3f}', f'{one.end:.3f}']
        for name, score in one.top(classes, k):
            row += [name, f'{score:.6f}']
        table.writerow(row)
    write_text(path, text.getvalue())


def middles_of(found: Sequence[Prediction]) -> np.ndarray:
    """(W,) seconds."""
    return np.array([(one.start + one.end) / 2 for one in found])


def draw_timeline(found: Sequence[Prediction], classes: Sequence[str]) -> Any:
    """A matplotlib figure: scores of the likeliest classes over time."""
    scores = np.stack([one.scores for one in found])  # (W, K)
    best = np.argsort(scores.max(0))[: -_SHOWN - 1 : -1]
    middles = middles_of(found)
    inner = (middles[1:] + middles[:-1]) / 2
    figure = new_figure(8, 0.9 + 0.32 * len(best))
    axes = figure.subplots()
    if len(found) == 1:
        axes.barh(range(len(best)), scores[0, best], color=BLUE)
        axes.set(xlim=(0, 1), xlabel='score')
    else:
        edges = [found[0].start, *inner, found[-1].end]
        rows = np.arange(len(best) + 1) - 0.5
        colours = dict(cmap='Blues', vmin=0, vmax=1)
        mesh = axes.pcolormesh(edges, rows, scores[:, best].T, **colours)
        figure.colorbar(mesh, label='score')
        axes.set_xlabel('seconds')
    axes.set_yticks(range(len(best)), [classes[i] for i in best])
    axes.invert_yaxis()
    axes.set_title(Path(found[0].video).name, fontsize=10, loc='left')
    return figure


def write_labelled(
    path: Path, found: Sequence[Prediction], classes: Sequence[str]
) -> None:
    """The video as mp4, the three best classes of each moment in a corner."""
    middles = middles_of(found)

    def labelled(video: VideoFile) -> Iterator[np.ndarray]:
        for number, frame in enumerate(video.frames('rgb24', short_side=480)):
            now = number / float(video.rate)
            one = found[int(np.abs(middles - now).argmin())]
            picture = np.ascontiguousarray(frame.to_ndarray())
            draw_labels(picture, one.top(classes, 3))
            yield picture

    with VideoFile(found[0].video, allow_damaged=True) as video:
        write_video(path, labelled(video), video.rate, crf=20)


def draw_labels(picture: np.ndarray, top: list[tuple[str, float]]) -> None:
    """Draw bars and names into an RGB picture, uint8 (H, W, 3)."""
    scale = max(0.35, min(picture.shape[:2]) / 600)
    line, width = round(36 * scale), round(420 * scale)
    box = picture[: len(top) * line + 4, :width]
    box[:] = box // 3
    font = cv2.FONT_HERSHEY_SIMPLEX, 0.8 * scale, (255, 255, 255)
    thick = max(1, round(1.5 * scale))
    for i, (name, score) in enumerate(top):
        y = i * line
        bar = box[y + 4 : y + line, : round(score * box.shape[1])]
        bar[:] = bar // 2 + np.uint8(_BLUE) // 2
        # cv2 knows no letters beyond ASCII
        text = f'{score:.2f} {name}'.encode('ascii', 'replace').decode()
        place = 4, y + round(0.75 * line)
        cv2.putText(picture, text, place, *font, thick, cv2.LINE_AA)
