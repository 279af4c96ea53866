"""The pictures of a run: curves and confusion matrix."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lgd_tools.figures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    new_figure,
    plain,
    save_figure,
)
from lgd_tools.results.run_log import STAGE_1_LOSSES, STAGE_2_LOSS, Course

MAX_NAMED_CLASSES = 20  # more names are unreadable on the axes
_LOSSES = {
    STAGE_1_LOSSES[0]: ('stage 1, local classifier', BLUE),
    STAGE_1_LOSSES[1]: ('stage 1, global classifier', ORANGE),
    STAGE_2_LOSS: ('stage 2, joint classifier', GREEN),
}


def draw_curves(
    course: Course, path: str | os.PathLike, summary: dict
) -> Path:
    """Loss and accuracy over the run, with the switch of stages marked.

    Of the summary: 'top1' of the test, how many 'clips', and 'chance'.
    """
    figure = new_figure(11, 4.2)
    left, right = figure.subplots(1, 2)
    for key, (name, colour) in _LOSSES.items():
        x, y = course.curve('train', key)
        if x:
            name = name if course.switch else key.replace('loss_', '')
            left.plot(x, y, '.-', color=colour, label=name, markersize=2)
    if not left.lines:  # another head, with losses of other names
        left.plot(*course.curve('train', 'loss'), '.-', label='loss')
    left.set(title='Training loss', ylabel='cross entropy')
    right.set(title='Top-1 accuracy', ylabel='%', ylim=(0, 110))

    def accuracy(x, y, marker: str, colour: str, label: str, **more) -> None:
        y = 100 * np.array(y)
        right.plot(x, y, marker, color=colour, label=label, **more)

    points = course.curve('train', 'top1_acc')
    accuracy(*points, '.', ORANGE, 'training batches', alpha=0.4)
    for key in course.keys('val'):
        if key.endswith('top1'):
            accuracy(*course.curve('val', key), 'o-', BLUE, 'validation clips')
    chance, top1 = summary['chance'], summary['top1']
    label = f'test, {summary["clips"]} clips: {top1:.1%}'
    last = [max(row['x'] for row in course.train)]
    accuracy(last, [top1], '*', RED, label, markersize=13, zorder=5)
    label = f'chance: {chance:.1%}'
    right.axhline(100 * chance, color=GREY, linestyle=':', label=label)
    plain(left, right)
    for axes in (left, right):
        axes.set(xlabel=course.unit, xlim=(0, None))
        if course.switch is not None:
            label = 'stage 1 | stage 2'
            axes.axvline(course.switch, color=GREY, ls='--', label=label)
        axes.legend(fontsize=8)
    return save_figure(figure, path)


def draw_confusion(
    matrix: np.ndarray, classes: Sequence[str], path: str | os.PathLike
) -> Path:
    """Counts (K, K), rows are true classes; many classes without names."""
    clips, right = int(matrix.sum()), int(np.trace(matrix))
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = 3.2 + 0.52 * min(len(classes), MAX_NAMED_CLASSES)
    figure = new_figure(side + 0.8, side)
    axes = figure.add_subplot()
    image = axes.imshow(100 * shares, cmap='Blues', vmin=0, vmax=100)
    label = '% of the clips of the true class'
    figure.colorbar(image, ax=axes, label=label, shrink=0.75)
    axes.set(
        title=f'{right} of {clips} clips right ({right / clips:.1%})',
        xlabel='predicted class',
        ylabel='true class',
    )
    if len(classes) <= MAX_NAMED_CLASSES:
        names = [n if len(n) < 23 else f'{n[:21]}…' for n in classes]
        ticks = np.arange(len(classes))
        axes.set_xticks(ticks, names, rotation=40, ha='right')
        axes.set_yticks(ticks, names)
        for row, column in zip(*np.nonzero(matrix), strict=True):
            colour = 'white' if shares[row, column] > 0.55 else 'black'
            text = str(matrix[row, column])
            axes.text(column, row, text, ha='center', va='center', c=colour)
    return save_figure(figure, path)
