"""The pictures of a run: curves, confusion matrix, predicted clips."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lgd_tools.results.clip_pictures import find_clip, sample_frames
from lgd_tools.results.run_log import STAGE_1_LOSSES, STAGE_2_LOSS, Course

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


def _figure(width: float, height: float):
    # no pyplot: nothing global, no display
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout='constrained')


def _save(figure, path: str | os.PathLike) -> Path:
    """Write a PNG atomically."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.part')
    try:
        figure.savefig(part, dpi=110, format='png', facecolor='white')
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


# ------------------------------------------------------------------- curves
def draw_curves(
    course: Course,
    path: str | os.PathLike,
    chance: float | None = None,
    tested: tuple[float, int] | None = None,
) -> Path:
    """Loss and accuracy over the run, with the switch of stages marked.

    Args:
        course: What the run logged.
        path: The PNG to write.
        chance: Top-1 of guessing.
        tested: Top-1 of the test, and on how many clips.
    """
    figure = _figure(11, 4.2)
    left, right = figure.subplots(1, 2)
    two_stages = course.switch is not None
    for key, (name, colour) in _LOSSES.items():
        x, y = course.curve('train', key)
        if x:
            name = name if two_stages else key.replace('loss_', '')
            left.plot(x, y, color=colour, label=name, **_marks(x))
    if not left.lines:  # another head, with losses of other names
        left.plot(*course.curve('train', 'loss'), color=BLUE, label='loss')
    left.set(title='Training loss', ylabel='cross entropy')
    # room for the name of the stages above
    left.set_ylim(0, 1.12 * left.get_ylim()[1])
    right.set(title='Top-1 accuracy', ylabel='%')

    x, y = _epoch_means(course, 'top1_acc')
    if x:
        y = 100 * np.array(y)
        right.plot(x, y, color=ORANGE, marker='.', label='training clips')
    for key in course.keys('val'):
        if key.endswith('top1'):
            x, y = course.curve('val', key)
            y = 100 * np.array(y)
            right.plot(x, y, color=BLUE, marker='o', label='validation clips')
    if tested is not None:
        value, clips = tested
        right.plot(
            max(r['x'] for r in course.train),
            100 * value,
            color=RED,
            marker='*',
            markersize=13,
            linestyle='none',
            label=f'test, {clips} clips: {100 * value:.1f} %',
            clip_on=False,
            zorder=5,
        )
    if chance is not None:
        right.axhline(
            100 * chance,
            color=GREY,
            linestyle=':',
            label=f'chance: {100 * chance:.1f} %',
        )
    right.set(ylim=(0, 110), yticks=range(0, 101, 20))
    for axes in (left, right):
        axes.set_xlabel(course.unit)
        axes.set_xlim(left=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.spines[['top', 'right']].set_visible(False)
        if course.switch is not None:
            axes.axvline(course.switch, color=GREY, linestyle='--')
            axes.annotate(
                'stage 1 | stage 2',
                (course.switch, 1),
                xycoords=('data', 'axes fraction'),
                xytext=(0, -3),
                textcoords='offset points',
                ha='center',
                va='top',
                fontsize=8,
                color=GREY,
                bbox=dict(facecolor='white', edgecolor='none', pad=1),
            )
        axes.legend(frameon=True, framealpha=0.9, fontsize=8, loc='best')
    return _save(figure, path)


def _epoch_means(course: Course, key: str) -> tuple[list, list]:
    """A value at the end of every epoch; mmengine logs it of single batches.

    Without epochs, as it was logged.
    """
    x, y = course.curve('train', key)
    if course.unit != 'epoch':
        return x, y
    # the last step of an epoch belongs to it, whatever the rounding
    epochs = np.ceil(np.array(x) - 1e-6).astype(int)
    ends = sorted(set(epochs.tolist()))
    return ends, [float(np.mean(np.array(y)[epochs == e])) for e in ends]


def _marks(x: Sequence[float]) -> dict:
    """A line of one point is invisible without a mark."""
    return {'marker': '.'} if len(x) < 3 else {}


# ---------------------------------------------------------------- confusion
def predicted_classes(values: np.ndarray) -> np.ndarray:
    """(V, K) scores -> V classes; ties fall as in the stock metrics."""
    return np.argsort(values, axis=1)[:, -1]


def draw_confusion(
    matrix: np.ndarray, classes: Sequence[str], path: str | os.PathLike
) -> Path:
    """The confusion matrix; with many classes, the confused pairs by name.

    Args:
        matrix: (K, K) counts, rows are true classes.
        classes: K names.
        path: The PNG to write.
    """
    number, clips = len(classes), int(matrix.sum())
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    named = number <= MAX_NAMED_CLASSES
    if named:
        side = 3.2 + 0.52 * number
        figure = _figure(side + 0.8, side)
        axes = figure.subplots()
    else:
        figure = _figure(15, 7.2)
        axes, pairs = figure.subplots(1, 2, width_ratios=(1, 0.8))
    image = axes.imshow(100 * shares, cmap='Blues', vmin=0, vmax=100)
    figure.colorbar(
        image, ax=axes, label='% of the clips of the true class', shrink=0.75
    )
    right = int(np.trace(matrix))
    axes.set(
        title=f'{right} of {clips} clips right ({100 * right / clips:.1f} %)',
        xlabel='predicted class',
        ylabel='true class',
    )
    if not named:
        axes.set(xlabel='predicted class (index)', ylabel='true class (index)')
        _draw_pairs(pairs, matrix, classes)
        return _save(figure, path)
    ticks = np.arange(number)
    axes.set_xticks(ticks, [_short(c) for c in classes], rotation=40)
    for label in axes.get_xticklabels():
        label.set(ha='right', rotation_mode='anchor')
    axes.set_yticks(ticks, [_short(c) for c in classes])
    for row, column in zip(*np.nonzero(matrix), strict=True):
        axes.text(
            column,
            row,
            str(int(matrix[row, column])),
            ha='center',
            va='center',
            color='white' if shares[row, column] > 0.55 else 'black',
        )
    return _save(figure, path)


def confused_pairs(
    matrix: np.ndarray, limit: int
) -> list[tuple[int, int, int]]:
    """(true, predicted, clips) of the commonest mistakes, commonest first."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    # ties in the order of the classes
    order = np.argsort(-wrong, axis=None, kind='stable')[:limit]
    rows, columns = np.unravel_index(order, wrong.shape)
    return [
        (int(r), int(c), int(wrong[r, c]))
        for r, c in zip(rows, columns, strict=True)
        if wrong[r, c]
    ]


def _draw_pairs(axes, matrix: np.ndarray, classes: Sequence[str]) -> None:
    pairs = confused_pairs(matrix, 20)
    if not pairs:
        axes.set_axis_off()
        axes.text(0.5, 0.5, 'no clip was wrong', ha='center')
        return
    places = np.arange(len(pairs))
    axes.barh(places, [count for *_, count in pairs], color=ORANGE)
    axes.set_yticks(
        places,
        [
            f'{_short(classes[t], 26)} → {_short(classes[p], 26)}'
            for t, p, _ in pairs
        ],
        fontsize=8,
    )
    axes.invert_yaxis()
    seen = matrix.sum(1)
    for place, (true, _, count) in enumerate(pairs):
        axes.text(count, place, f' {count} of {int(seen[true])}', va='center')
    axes.set(
        title='Commonest mistakes: true → predicted class', xlabel='clips'
    )
    axes.margins(x=0.15)
    axes.spines[['top', 'right']].set_visible(False)


def _short(name: str, length: int = 22) -> str:
    return name if len(name) <= length else f'{name[: length - 1]}…'


# -------------------------------------------------------------- predictions
def choose_clips(
    values: np.ndarray, labels: np.ndarray, count: int, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Which clips to show: right ones at random, wrong ones worst first.

    Args:
        values: (V, K) scores.
        labels: (V,) true classes.
        count: How many of each kind at most.
        seed: Draws the right ones.

    Returns:
        Indices of right and of wrong clips, of as many true classes as
        there are.
    """
    best = predicted_classes(values)
    right = np.flatnonzero(best == labels)
    wrong = np.flatnonzero(best != labels)
    right = np.random.default_rng(seed).permutation(right)
    wrong = wrong[np.argsort(-values[wrong, best[wrong]], kind='stable')]
    return (
        _one_of_each(right, labels, count),
        _one_of_each(wrong, labels, count),
    )


def _one_of_each(
    clips: np.ndarray, labels: np.ndarray, count: int
) -> list[int]:
    """The first of every class, then the second of every class, ..."""
    rounds: dict[int, int] = {}
    ranked = []
    for place, clip in enumerate(clips):
        turn = rounds.get(int(labels[clip]), 0)
        rounds[int(labels[clip])] = turn + 1
        ranked.append((turn, place, int(clip)))
    return [clip for _, _, clip in sorted(ranked)[:count]]


def draw_predictions(
    names: Sequence[str],
    values: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    path: str | os.PathLike,
    folder: str | os.PathLike | None = None,
    count: int = 4,
) -> Path:
    """Frames of a few clips over time, with true and predicted class.

    Args:
        names: V clips, as the data set gave them.
        values: (V, K) scores, shown in percent where they are
            probabilities.
        labels: (V,) true classes.
        classes: K names.
        path: The PNG to write.
        folder: Where the names are relative to.
        count: How many right and how many wrong clips at most.
    """
    right, wrong = choose_clips(values, labels, count)
    groups = [
        ('Right, drawn at random', GREEN, right),
        ('Wrong, the most certain ones', RED, wrong),
    ]
    rows = sum(map(len, (right, wrong)))
    figure = _figure(1.5 * FRAMES, 1.85 * rows + 0.8)
    heights = [0.35 + len(clips) for _, _, clips in groups]
    panels = figure.subfigures(2, 1, height_ratios=heights)
    for panel, (title, colour, clips) in zip(panels, groups, strict=True):
        if not clips:
            title = title.split(',')[0] + ': none'
        panel.suptitle(title, color=colour, fontweight='bold')
        strips = panel.subfigures(max(len(clips), 1), 1, squeeze=False)
        for strip, clip in zip(strips[:, 0], clips, strict=False):
            _draw_strip(
                strip,
                find_clip(names[clip], folder),
                _caption(values[clip], int(labels[clip]), classes),
                colour,
            )
    return _save(figure, path)


def _caption(row: np.ndarray, label: int, classes: Sequence[str]) -> str:
    best = int(predicted_classes(row[None])[0])
    # scores that are no probabilities have no percent
    is_share = row.min() >= 0 and abs(row.sum() - 1) < 1e-3
    score = [
        f'{100 * row[k]:.0f} %' if is_share else f'{row[k]:.2f}'
        for k in (best, label)
    ]
    true, said = _short(classes[label], 36), _short(classes[best], 36)
    if best == label:
        return f'true and predicted: {true} ({score[0]})'
    return f'true: {true} ({score[1]})   predicted: {said} ({score[0]})'


def _draw_strip(strip, path: Path, caption: str, colour: str) -> None:
    pictures, times = sample_frames(path, FRAMES)
    strip.suptitle(caption, fontsize=9, color=colour, x=0.01, ha='left')
    strips = strip.subplots(1, FRAMES)
    for i, axes in enumerate(strips):
        axes.set_axis_off()
        if i >= len(pictures):
            continue
        time = times[i]
        axes.imshow(pictures[i], cmap='gray')
        axes.set_title(
            f'frame {time}' if isinstance(time, int) else f'{time:.2f} s',
            fontsize=7,
            color=GREY,
            pad=2,
        )
