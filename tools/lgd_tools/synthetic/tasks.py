"""The tasks by name: their classes, their seeds, one clip of either."""

from collections.abc import Sequence

import numpy as np

from lgd_tools.cli import ToolError
from lgd_tools.synthetic.motion import (
    MOTION_CLASSES,
    check_motion_classes,
    render_motion,
)
from lgd_tools.synthetic.relation import (
    COLOUR_FRAMES,
    RELATION_CLASSES,
    check_relation_classes,
    render_relation,
)

TASKS = ('motion', 'relation')
SPLITS = ('train', 'val')
_SPLIT_SEEDS = 1 << 31  # seeds of one split, more than any data set needs


def render_clip(
    task: str,
    label: str,
    size: tuple[int, int] = (112, 112),
    frames: int = 16,
    seed: int = 0,
    content: str = 'scene',
    speed: float = 1.0,
    distance: int | None = None,
) -> np.ndarray:
    """Render one labelled clip.

    Args:
        task: 'motion' or 'relation'.
        label: one of the task's classes.
        size: height and width in pixels; odd ones can be rendered, but not
            written as H.264.
        frames: number of frames T, at least 2 (relation: 3).
        seed: non-negative integer; equal arguments give equal frames.
        content: motion only: 'scene', 'object' or 'mixed' moves.
        speed: motion only: factor on the speeds.
        distance: relation only: pixels between the two objects' rooms; None:
            as far apart as the picture allows.

    Returns:
        uint8 (T, H, W, 3), RGB.

    Raises:
        ToolError: an argument is out of range.
    """
    check_classes(task, [label])
    fewest = 2 if task == 'motion' else COLOUR_FRAMES + 1
    if frames < fewest:
        raise ToolError(
            f'{frames} frames cannot show a {task}: use at least {fewest}'
        )
    if seed < 0:
        raise ToolError(f'seed {seed} is negative: use 0 or more')
    if task == 'motion':
        return render_motion(label, size, frames, seed, content, speed)
    return render_relation(label, size, frames, seed, distance)


def clip_seed(seed: int, split: str, index: int) -> int:
    """Seed of clip number `index` of a split; all classes share it.

    Different (seed, split, index) never collide: index < 2^31.
    """
    return (seed * len(SPLITS) + SPLITS.index(split)) * _SPLIT_SEEDS + index


def default_classes(task: str) -> tuple[str, ...]:
    """All classes of a task, in the order of their labels."""
    if task not in TASKS:
        raise ToolError(
            f'unknown task {task!r}: use one of ' + ', '.join(TASKS)
        )
    return MOTION_CLASSES if task == 'motion' else RELATION_CLASSES


def check_classes(task: str, classes: Sequence[str]) -> None:
    """Raise ToolError unless the classes are distinct ones of the task."""
    default_classes(task)
    if len(set(classes)) < len(classes):
        raise ToolError(
            f'a class is named twice in {", ".join(classes)}: name each once'
        )
    if task == 'motion':
        check_motion_classes(classes)
    else:
        check_relation_classes(classes)
