"""The pictures of a run: curves and confusion matrix."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lgd_mmaction.files import atomic_path
from lgd_tools.results.run_log import STAGE_1_LOSSES, STAGE_2_LOSS, Course

# colours that differ for the colour-blind too (Okabe and Ito)
BLUE, ORANGE, GREEN, RED = '#0072b2', '#e69f00', '#007d5a', '#c23b00'
GREY = '#666666'
MAX_NAMED_CLASSES = 20  # more names are unreadable on the axes
_LOSSES = {
    STAGE_1_LOSSES[0]: ('stage 1, local classifier', BLUE),
    STAGE_1_LOSSES[1]: ('stage 1, global classifier', ORANGE),
    STAGE_2_LOSS: ('stage 2, joint classifier', GREEN),
}


def _figure(width: float, height: float) -> Any:
    # no pyplot: nothing global, no display
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout='constrained')


def _save(figure: Any, path: str | os.PathLike) -> Path:
    with atomic_path(path) as part:
        figure.savefig(part, dpi=110, format='png', facecolor='white')
    return Path(path)


# ------------------------------------------------------------------- curves
def draw_curves(
    course: Course, path: str | os.PathLike, summary: dict
) -> Path:
    """Loss and accuracy over the run, with the switch of stages marked.

    Args:
        course: What the run logged.
        path: The picture to write.
        summary: 'top1' of the test, how many 'clips', and 'chance'.
    """
    figure = _figure(11, 4.2)
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
    for axes in (left, right):
        axes.set(xlabel=course.unit, xlim=(0, None))
        axes.grid(alpha=0.25)
        axes.spines[['top', 'right']].set_visible(False)
        if course.switch is not None:
            label = 'stage 1 | stage 2'
            axes.axvline(course.switch, color=GREY, ls='--', label=label)
        axes.legend(fontsize=8)
    return _save(figure, path)


# ---------------------------------------------------------------- confusion
def draw_confusion(
    matrix: np.ndarray, classes: Sequence[str], path: str | os.PathLike
) -> Path:
    """Counts (K, K), rows are true classes; many classes without names."""
    clips, right = int(matrix.sum()), int(np.trace(matrix))
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    ticks = np.arange(len(classes))
    side = 3.2 + 0.52 * min(len(ticks), MAX_NAMED_CLASSES)
    figure = _figure(side + 0.8, side)
    axes = figure.add_subplot()
    image = axes.imshow(100 * shares, cmap='Blues', vmin=0, vmax=100)
    figure.colorbar(
        image, ax=axes, label='% of the clips of the true class', shrink=0.75
    )
    axes.set(
        title=f'{right} of {clips} clips right ({right / clips:.1%})',
        xlabel='predicted class',
        ylabel='true class',
    )
    if len(ticks) <= MAX_NAMED_CLASSES:
        names = [_short(name) for name in classes]
        axes.set_xticks(ticks, names, rotation=40, ha='right')
        axes.set_yticks(ticks, names)
        for row, column in zip(*np.nonzero(matrix), strict=True):
            colour = 'white' if shares[row, column] > 0.55 else 'black'
            text = str(matrix[row, column])
            axes.text(column, row, text, ha='center', va='center', c=colour)
    return _save(figure, path)


def _short(name: str, length: int = 22) -> str:
    return name if len(name) <= length else f'{name[: length - 1]}…'
