"""The picture of what the global path does in one clip."""

import io

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from torch import Tensor

from lgd_tools.results.global_path import Findings

# colours that differ for the colour-blind too (Okabe and Ito)
BLUE, ORANGE, GREEN = '#0072b2', '#e69f00', '#007d5a'
FRAMES = 8  # shown of a clip
WIDTH = 14  # inches


def draw(findings: Findings, frames: np.ndarray, title: str) -> bytes:
    """A PNG: units above, maps over the frames, frames left out below.

    Args:
        findings: Of the clip.
        frames: uint8 (T, H, W, C), as the network saw them; C is 3, or 2 for
            optical flow.
        title: Video and class.
    """
    length, height, width = frames.shape[:3]
    shown = np.unique(np.linspace(0, length - 1, FRAMES).round().astype(int))
    pictures = (
        frames[shown] if frames.shape[3] == 3 else frames[shown, ..., :1]
    )
    # few or flat frames: room for the text beside them all the same
    cell = (WIDTH - 2.6) / len(shown) * height / width
    cell = min(max(cell, 0.9), 1.4)
    figure = Figure((WIDTH, 4 * cell + 8), layout='constrained')
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.04)
    figure.suptitle(
        f'{title}\nprobability {_percent(findings.probability)}, '
        f'{_percent(findings.probability_without)} when no unit adds g '
        f'(score: {findings.score:+.2f}, {findings.score_without:+.2f} nats '
        'of log-odds)',
        fontsize=12,
    )
    top, middle, bottom = figure.subfigures(
        3, 1, height_ratios=(3.2, 4 * cell + 1.2, 2.6)
    )
    _draw_units(top, findings)
    _draw_maps(middle, findings, pictures, shown, length)
    _draw_frames(bottom, findings)
    file = io.BytesIO()
    figure.savefig(file, dpi=100, format='png', facecolor='white')
    return file.getvalue()


def _percent(share: float) -> str:
    return f'{100 * share:.1f} %'


# ------------------------------------------------------ the units, the frames
def _draw_units(figure, findings: Findings) -> None:
    names = [name.removeprefix('layer') for name in findings.names]
    size = 8 if len(names) < 20 else 5
    for axes in _draw_bars(
        figure,
        findings.sizes,
        findings.unit_effects,
        '(a) How much each unit adds: size of $W^{x,g} g_{l-1}$\n'
        'relative to $F_l(x_{l-1})$',
        'What it is worth: score of the class minus\nthe score when only '
        'this unit adds nothing',
    ):
        axes.set_xlabel('residual unit (stage.unit)')
        axes.set_xticks(range(len(names)), names, fontsize=size)


def _draw_frames(figure, findings: Findings) -> None:
    for axes in _draw_bars(
        figure,
        findings.frame_moves,
        findings.frame_effects,
        '(c) How far $g_L$ moves when one frame is left out\n'
        '(its neighbour stands in), relative to $|g_L|$',
        'What the frame is worth: score of the class minus\n'
        'the score without this frame',
    ):
        axes.set_xlabel('frame')
        axes.xaxis.get_major_locator().set_params(integer=True)


def _draw_bars(
    figure, shares: Tensor, effects: Tensor, what: str, worth: str
) -> tuple:
    """Shares in per cent on the left, signed effects in nats on the right."""
    left, right = figure.subplots(1, 2)
    places, effects = np.arange(len(shares)), effects.numpy()
    left.bar(places, 100 * shares.numpy(), color=ORANGE)
    left.set(title=what, ylabel='%')
    right.bar(places, effects, color=np.where(effects >= 0, GREEN, BLUE))
    right.axhline(0, color='black', linewidth=0.8)
    right.set(title=worth, ylabel='nats')
    for axes in (left, right):
        axes.spines[['top', 'right']].set_visible(False)
        axes.grid(axis='y', alpha=0.25)
    return left, right


# ------------------------------------------------------------------ the maps
def _draw_maps(
    figure,
    findings: Findings,
    pictures: np.ndarray,
    shown: np.ndarray,
    length: int,
) -> None:
    size = length, *pictures.shape[1:3]
    maps = [
        enlarged(part, size)[shown]
        for part in (findings.cam, findings.change, findings.effect)
    ]
    total = float(findings.effect.sum())
    # a few positions stand out of the others
    largest = max(float(findings.effect.abs().quantile(0.99)), 1e-12)
    t, h, w = findings.cam.shape
    figure.suptitle(
        f'(b) Where what was added up to the end of {findings.stage} acts: '
        f'its {t} x {h} x {w} positions (frames x rows x columns), enlarged',
        fontsize=11,
    )
    rows = [
        ('the frames', None, {}),
        ('Grad-CAM:\nwhat the local\npath looks at', maps[0],
         dict(cmap='inferno', vmin=0, vmax=1)),
        ('change of $x_l$\nby g, relative\nto the mean |$x_l$|', maps[1],
         dict(cmap='viridis', vmin=0,
              vmax=max(float(findings.change.max()), 1e-12))),
        (f'what it does to\nthe score: green\nfor the class,\npurple against\n'
         f'(sum {total:+.2f})', maps[2],
         dict(cmap='PRGn', norm=TwoSlopeNorm(0, -largest, largest))),
    ]  # fmt: skip
    grid = figure.subplots(
        4, len(shown) + 1, width_ratios=[0.95] + [1] * len(shown)
    )
    grey = pictures.mean(3)
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
            axes.imshow(grey[i], cmap='gray', vmin=0, vmax=255)
            image = axes.imshow(heat[i], alpha=0.65, **style)
        if heat is not None:
            figure.colorbar(image, ax=row[1:], fraction=0.012, pad=0.005)


def enlarged(part: Tensor, size: tuple[int, ...]) -> np.ndarray:
    """(T', H', W') -> (T, H, W), between the centres of the cells."""
    return F.interpolate(part[None, None], size, mode='trilinear')[
        0, 0
    ].numpy()


def summary(findings: Findings, title: str) -> str:
    """The same in a few lines of text."""
    unit = int(findings.unit_effects.abs().argmax())
    frame = int(findings.frame_moves.argmax())
    assert torch.isfinite(findings.sizes).all()
    return (
        f'{title}: {_percent(findings.probability)}, without global path '
        f'{_percent(findings.probability_without)}; most by unit '
        f'{findings.names[unit]} ({findings.unit_effects[unit]:+.2f} nats); '
        f'frame {frame} moves g most ({_percent(findings.frame_moves[frame])})'
    )
