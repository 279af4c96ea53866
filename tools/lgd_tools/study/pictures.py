"""The figures of docs/study.md, from results alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lgd_tools.figures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    new_figure,
    save_figure,
)
from lgd_tools.study.statistics import Mean

GUESS = dict(color=GREY, linewidth=0.8, linestyle=':')
DASHED = dict(color=GREY, linestyle='--')
DOTS = dict(marker='o', capsize=3)


def draw_distances(
    lines: dict[str, list[tuple]], field: int, path: Path
) -> None:
    """Pairs told apart against the distance of the two objects.

    `lines` are rows of distance and Mean by the name of the network, `field`
    is the receptive field of both in pixels.
    """
    figure = new_figure(7, 3.8)
    axes = figure.subplots()
    for (name, rows), colour in zip(
        lines.items(), (ORANGE, BLUE), strict=True
    ):
        x, y, half, _ = np.array(rows).reshape(-1, 4).T
        style = dict(color=colour, label=name, **DOTS)
        axes.errorbar(x, 100 * y, 100 * half, **style)
    axes.axvline(field - 2, **DASHED)
    said = 'from here on no position\nsees both objects'
    axes.text(field - 1.6, 76, said, color=GREY, fontsize=9)
    axes.axhline(50, **GUESS)
    axes.set(
        xlabel='pixels between the two objects',
        ylabel='told apart, %',
        xlim=(-2, max(42, field + 2)),
        ylim=(40, 103),
    )
    # a second scale: in receptive fields
    scales = (lambda d: d / field), (lambda d: d * field)
    twin = axes.secondary_xaxis('top', functions=scales)
    twin.set_xlabel(f'in receptive fields of {field} pixels')
    axes.legend(loc='lower left', frameon=False)
    save_figure(figure, path)


def draw_dots(
    rows: Sequence[tuple[str, Mean, Sequence[float]]], path: Path
) -> None:
    """A dot and an interval for every variant, a small line for every seed."""
    figure = new_figure(7, 0.8 + 0.36 * len(rows))
    axes = figure.subplots()
    for y, (_, mean, seeds) in enumerate(rows):
        x = 100 * np.array(seeds)
        axes.plot(x, np.full_like(x, y), '|', color=GREY, markersize=9)
        half = 100 * mean.half
        axes.errorbar(100 * mean.mean, y, xerr=half, color=BLUE, **DOTS)
    axes.axvline(50, **GUESS)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.invert_yaxis()
    axes.set(xlabel='told apart, %', xlim=(40, 103))
    save_figure(figure, path)


def draw_curves(
    curves: dict[str, list[list[list[float]]]], switch: int, path: Path
) -> None:
    """Training loss and accuracy, the mean over seeds and every seed.

    `curves` are rows of step, loss, accuracy, by name and seed; the second
    stage begins at step `switch`.
    """
    figure = new_figure(9, 3.4)
    panels = figure.subplots(1, 2)
    colours = zip(curves.items(), (BLUE, ORANGE, GREEN), strict=False)
    for (name, runs), colour in colours:
        table = np.array(runs)  # (seeds, points, 3)
        for axes, column, scale in zip(panels, (1, 2), (1, 100), strict=True):
            x, y = table[0, :, 0], scale * table[..., column]
            axes.plot(x, y.T, color=colour, linewidth=0.6, alpha=0.35)
            axes.plot(x, y.mean(0), color=colour, linewidth=2, label=name)
    for axes in panels:
        axes.axvline(switch, **DASHED)
        axes.set_xlabel('step')
    panels[0].set_ylabel('training loss, summed over classifiers')
    panels[1].set(ylabel='training accuracy, %', ylim=(40, 103))
    panels[1].legend(loc='lower right', frameon=False)
    save_figure(figure, path)


def draw_clips(clips: Sequence[tuple[str, Any]], path: Path) -> None:
    """Titles and first frames, RGB (H, W, 3), one below another."""
    figure = new_figure(7, 0.95 * len(clips))
    panels = figure.subplots(len(clips))
    for axes, (title, picture) in zip(panels, clips, strict=True):
        axes.imshow(picture)
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()
    save_figure(figure, path)


def draw_influence(
    strips: Sequence[tuple[str, Any]],
    changes: dict[str, Any],
    room: tuple[int, int],
    reach: int,
    path: Path,
) -> None:
    """Two clips that differ in the right object, and where x_L differs.

    Args:
        strips: Title and RGB picture (H, W, 3).
        changes: By network the change of x_L along the columns, per cent.
        room: First and last column of the right object.
        reach: Columns left of it that convolutions see it from.
        path: The PNG.
    """
    figure = new_figure(7, 4.6)
    *above, axes = figure.subplots(3, height_ratios=(0.42, 0.42, 2))
    width = strips[0][1].shape[1]
    for small, (title, picture) in zip(above, strips, strict=True):
        small.imshow(picture, extent=(0, width, 8, 0), aspect='auto')
        small.set_title(title, fontsize=9, loc='left')
        small.set_axis_off()
    axes.axvspan(*room, color=GREY, alpha=0.15, linewidth=0)
    axes.axvline(room[0] - reach, **DASHED)
    said = 'convolutions see\nthe right object\nfrom here on'
    place = room[0] - reach - 0.6, 0.97  # in data, in parts of the height
    style = dict(color=GREY, fontsize=9, ha='right', va='top')
    axes.text(*place, said, transform=axes.get_xaxis_transform(), **style)
    colours = zip(changes.items(), (ORANGE, BLUE), strict=True)
    for (name, change), colour in colours:
        centres = (np.arange(len(change)) + 0.5) * width / len(change)
        axes.plot(centres, change, color=colour, marker='.', label=name)
    axes.set(
        xlim=(0, width),
        ylim=(0, None),
        xlabel='column of the picture, pixels',
        ylabel='change of $x_L$, %',
    )
    axes.legend(loc='upper left', frameon=False)
    save_figure(figure, path)
