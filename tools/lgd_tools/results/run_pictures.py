"""The pictures of a run: curves, confusion matrix, predicted clips."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lgd_mmaction.files import atomic_path
from lgd_tools.cli import ToolError
from lgd_tools.pictures import read_pictures
from lgd_tools.results.measures import predicted_classes
from lgd_tools.results.run_log import STAGE_1_LOSSES, STAGE_2_LOSS, Course
from lgd_tools.results.scores import Scores

# colours that differ for the colour-blind too (Okabe and Ito)
BLUE, ORANGE, GREEN, RED = '#0072b2', '#e69f00', '#007d5a', '#c23b00'
GREY = '#666666'
MAX_NAMED_CLASSES = 20  # more names are unreadable on the axes
FRAMES = 6  # shown of each clip
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


# -------------------------------------------------------------- predictions
def choose_clips(
    values: np.ndarray, labels: np.ndarray, count: int
) -> tuple[list[int], list[int]]:
    """Which right clips (at random) and wrong ones (surest first) to show.

    At most `count` of each, of as many true classes as there are.
    """
    best = predicted_classes(values)
    right = np.flatnonzero(best == labels)
    wrong = np.flatnonzero(best != labels)
    right = np.random.default_rng(0).permutation(right)
    wrong = wrong[np.argsort(-values[wrong, best[wrong]], kind='stable')]

    def of_each_class(clips: np.ndarray) -> list[int]:
        # the first of every class, then the second of every class, ...
        own = labels[clips]
        turns = [np.sum(own[:i] == label) for i, label in enumerate(own)]
        return clips[np.argsort(turns, kind='stable')][:count].tolist()

    return of_each_class(right), of_each_class(wrong)


def draw_predictions(
    scores: Scores,
    classes: Sequence[str],
    path: str | os.PathLike,
    folder: str | os.PathLike | None = None,
    count: int = 4,
) -> Path:
    """Frames of a few right and wrong clips, with true and predicted class.

    Args:
        scores: Of the test.
        classes: K names.
        path: The picture to write.
        folder: Where the names of the clips are relative to.
        count: How many right and how many wrong clips at most.
    """
    right, wrong = choose_clips(scores.values, scores.labels, count)
    clips = right + wrong
    figure = _figure(1.5 * FRAMES, 1.85 * len(clips) + 0.6)
    figure.suptitle('Right clips at random; wrong clips, the surest first')
    grid = figure.subplots(len(clips), FRAMES, squeeze=False)
    for row, clip in zip(grid, clips, strict=True):
        label, values = int(scores.labels[clip]), scores.values[clip]
        best = int(predicted_classes(values[None])[0])
        true, said = _short(classes[label], 36), _short(classes[best], 36)
        caption, colour = f'true and predicted: {true}', GREEN
        if best != label:
            caption, colour = f'true: {true}   predicted: {said}', RED
        row[0].set_title(
            f'{caption} (score {values[best]:.2f})',
            fontsize=9, color=colour, loc='left',
        )  # fmt: skip
        frames = sample_frames(find_clip(scores.names[clip], folder), FRAMES)
        for axes in row:
            axes.set(xticks=[], yticks=[], frame_on=False)
        for axes, (number, picture) in zip(row, frames, strict=False):
            axes.imshow(picture, cmap='gray')
            text = f'frame {number}'
            axes.set_xlabel(text, fontsize=7, color=GREY, labelpad=1)
    return _save(figure, path)


def find_clip(name: str, folder: str | os.PathLike | None) -> Path:
    """The file, or the folder of frames, of a clip named in a score file.

    Raises:
        ToolError: It is not there.
    """
    name = name.replace('\\', '/')
    for path in (Path(folder or '.', name), Path(name)):
        if path.exists():
            return path
    raise ToolError(
        f'there is no clip {name}: name the folder that the paths are '
        'relative to with --videos, or run where the test was run'
    )


def sample_frames(path: Path, count: int) -> list[tuple[int, np.ndarray]]:
    """Frames at even distances, the first and the last among them.

    Args:
        path: A video, or a folder of frames or of flow (its horizontal part
            is taken).
        count: How many; a shorter clip gives all it has.

    Returns:
        Number from 1, and uint8 (H, W, 3) RGB or (H, W) picture, of each.

    Raises:
        ToolError: It cannot be read.
    """
    from matplotlib.image import imread

    flow = sorted(path.glob('flow_x_*')) if path.is_dir() else []

    def frames() -> Iterator[np.ndarray]:
        return map(imread, flow) if flow else read_pictures(path)

    # read twice, so that a long clip need not fit into memory
    total = sum(1 for _ in frames())
    chosen = np.linspace(0, total - 1, min(count, total)).round()
    return [(i + 1, f) for i, f in enumerate(frames()) if i in chosen]
