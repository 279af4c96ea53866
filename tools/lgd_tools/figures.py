"""What all figures share: colours, plain axes, files that are whole."""

import os
from pathlib import Path
from typing import Any

from lgd_mmaction.files import atomic_path

# they differ for the colour-blind too (Okabe and Ito)
BLUE, ORANGE, GREEN, RED = '#0072b2', '#e69f00', '#007d5a', '#c23b00'
GREY = '#666666'


def new_figure(width: float, height: float) -> Any:
    """A matplotlib figure of so many inches; no pyplot, so no display."""
    from matplotlib.figure import Figure

    return Figure((width, height), layout='constrained')


def plain(*panels: Any) -> None:
    """Axes without a box, with a faint grid."""
    for axes in panels:
        axes.spines[['top', 'right']].set_visible(False)
        axes.grid(alpha=0.25)


def save_figure(figure: Any, path: str | os.PathLike) -> Path:
    """Write a PNG whole or not at all; its folder is made."""
    with atomic_path(path) as part:
        figure.savefig(part, format='png')
    return Path(path)
