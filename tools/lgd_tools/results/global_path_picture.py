"""The picture of what the global path does in one clip."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import TwoSlopeNorm
from torch import Tensor

from lgd_tools.figures import BLUE, GREEN, ORANGE, new_figure, plain
from lgd_tools.pictures import spread
from lgd_tools.results.global_path import Findings

FRAMES = 8  # shown of a clip
WIDTH = 14  # inches


def draw(findings: Findings, frames: np.ndarray, title: str) -> Any:
    """A figure: units above, maps over the frames, frames left out below.

    The frames are uint8 (T, H, W, C), as the network saw them; C is 3, or 2
    for optical flow.
    """
    length, height, width, _ = frames.shape
    shown = spread(0, length - 1, FRAMES)
    # few or flat frames: room for the text beside them all the same
    cell = (WIDTH - 2.6) / len(shown) * height / width
    cell = min(max(cell, 0.9), 1.4)
    figure = new_figure(WIDTH, 4 * cell + 8)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.04)
    figure.suptitle(
        f'{title}\nprobability {findings.probability:.1%}, '
        f'{findings.probability_without:.1%} when no unit adds g '
        f'(score: {findings.score:+.2f}, {findings.score_without:+.2f} nats '
        'of log-odds)'
    )
    top, middle, bottom = figure.subfigures(
        3, 1, height_ratios=(3.2, 4 * cell + 1.2, 2.6)
    )
    names = [name.removeprefix('layer') for name in findings.names]
    size = 8 if len(names) < 20 else 5
    for axes in _draw_bars(
        top,
        findings.sizes,
        findings.unit_effects,
        '(a) How much each unit adds: size of $W^{x,g} g_{l-1}$\n'
        'relative to $F_l(x_{l-1})$',
        'What it is worth: score of the class minus\nthe score when only '
        'this unit adds nothing',
        'residual unit (stage.unit)',
    ):
        axes.set_xticks(range(len(names)), names, fontsize=size)
    _draw_maps(middle, findings, frames, shown)
    for axes in _draw_bars(
        bottom,
        findings.frame_moves,
        findings.frame_effects,
        '(c) How far $g_L$ moves when one frame is left out\n'
        '(its neighbour stands in), relative to $|g_L|$',
        'What the frame is worth: score of the class minus\n'
        'the score without this frame',
        'frame',
    ):
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _draw_bars(
    figure: Any, shares: Tensor, effects: Tensor, what: str, worth: str, x: str
) -> tuple:
    """Shares in per cent on the left, signed effects in nats on the right."""
    left, right = figure.subplots(1, 2)
    places, effects = np.arange(len(shares)), effects.cpu().numpy()
    left.bar(places, 100 * shares.cpu().numpy(), color=ORANGE)
    left.set(title=what, ylabel='%', xlabel=x)
    right.bar(places, effects, color=np.where(effects >= 0, GREEN, BLUE))
    right.axhline(0, color='black', linewidth=0.8)
    right.set(title=worth, ylabel='nats', xlabel=x)
    plain(left, right)
    return left, right


def _draw_maps(
    figure: Any, findings: Findings, frames: np.ndarray, shown: list[int]
) -> None:
    """Frames, and the maps over them, enlarged between their positions."""
    pictures = frames[shown, ..., : 3 if frames.shape[3] == 3 else 1]
    maps = torch.stack([findings.cam, findings.change, findings.effect])
    maps = F.interpolate(maps[None], frames.shape[:3], mode='trilinear')
    cam, change, effect = maps[0, :, shown].cpu().numpy()
    # a few positions stand out of the others
    largest = max(float(findings.effect.abs().quantile(0.99)), 1e-12)
    most = max(float(findings.change.max()), 1e-12)
    t, h, w = findings.cam.shape
    figure.suptitle(
        f'(b) Where what was added up to the end of {findings.stage} acts: '
        f'its {t} x {h} x {w} positions (frames x rows x columns), enlarged',
        fontsize=11,
    )
    rows = [
        ('the frames', None, {}),
        ('Grad-CAM:\nwhat the local\npath looks at', cam,
         dict(cmap='inferno', vmin=0, vmax=1)),
        ('change of $x_l$\nby g, relative\nto the mean |$x_l$|', change,
         dict(cmap='viridis', vmin=0, vmax=most)),
        ('what it does to\nthe score: green\nfor the class,\npurple against\n'
         f'(sum {findings.effect.sum():+.2f})', effect,
         dict(cmap='PRGn', norm=TwoSlopeNorm(0, -largest, largest))),
    ]  # fmt: skip
    grid = figure.subplots(
        4, len(shown) + 1, width_ratios=[0.95] + [1] * len(shown)
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for row, (label, heat, style) in zip(grid, rows, strict=True):
        row[0].text(1, 0.5, label, ha='right', va='center', fontsize=9,
                    transform=row[0].transAxes)  # fmt: skip
        for i, axes in enumerate(row[1:]):
            if heat is None:
                axes.imshow(pictures[i].squeeze(), cmap='gray')
                axes.set_title(f'frame {shown[i]}', fontsize=9)
                continue
            axes.imshow(pictures[i].mean(2), cmap='gray', vmin=0, vmax=255)
            image = axes.imshow(heat[i], alpha=0.65, **style)
        if heat is not None:
            figure.colorbar(image, ax=row[1:], fraction=0.012, pad=0.005)


def summary(findings: Findings, title: str) -> str:
    """The same in a few lines of text."""
    unit = int(findings.unit_effects.abs().argmax())
    frame = int(findings.frame_moves.argmax())
    return (
        f'{title}: {findings.probability:.1%}, without global path '
        f'{findings.probability_without:.1%}; most by unit '
        f'{findings.names[unit]} ({findings.unit_effects[unit]:+.2f} nats); '
        f'frame {frame} moves g most ({findings.frame_moves[frame]:.1%})'
    )
