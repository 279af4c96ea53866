"""The `motion` task: the class is how a textured scene or object moves.

Classes: left, right, up, down, clockwise, counter_clockwise, approaching,
receding.

Why no single frame tells the class
-----------------------------------
A frame is a view of a random texture with a position, an angle and a zoom.
All three are drawn uniformly on closed circles (see clip_texture: position
modulo the tile, angle modulo 2 pi, zoom modulo one octave with independent
layers) at the *middle* of the clip, and a motion advances exactly one of them
at constant speed. A uniform variable on a circle plus any constant is
uniform again: so the frame at any time, of any class, has one and the same
distribution, at every frame number. Moreover

- everything random, the speeds included, is drawn before the class is looked
  at, so clips of equal seed differ in the class only; with an odd number of
  frames, their middle frames are identical;
- the motion is odd in time about the middle, so the clip of the opposite
  class with the same seed is the same frames in reverse order.

`generate_dataset` uses the same seeds for all classes: the stills of a data
set are balanced to the picture, not only on average.

A horizontal flip turns left into right and clockwise into counter_clockwise:
train without it.
"""

from collections.abc import Sequence

import numpy as np

from lgd_tools.cli import ToolError
from lgd_tools.synthetic.texture import (
    EndlessTexture,
    Palette,
    dim_background,
    paste_wrapped,
    shape_mask,
    to_uint8,
)

MOTION_CLASSES = (
    'left',
    'right',
    'up',
    'down',
    'clockwise',
    'counter_clockwise',
    'approaching',
    'receding',
)
MOTION_CONTENTS = ('scene', 'object', 'mixed')
MIN_SIDE = 32  # below, the texture's finest wavelength is under 3 pixels

# Class -> direction of (x, y, angle, zoom). y points down.
_DIRECTIONS = {
    'left': (-1, 0, 0, 0),
    'right': (1, 0, 0, 0),
    'up': (0, -1, 0, 0),
    'down': (0, 1, 0, 0),
    'clockwise': (0, 0, 1, 0),
    'counter_clockwise': (0, 0, -1, 0),
    'approaching': (0, 0, 0, 1),
    'receding': (0, 0, 0, -1),
}

# Speeds per frame; 16 frames move by about 0.6 of the shorter side, turn by
# about 90 degrees, or zoom by about 1.3 octaves.
_SHIFT = (0.03, 0.045)  # of the shorter side
_TURN = (np.deg2rad(4.5), np.deg2rad(7))
_ZOOM = (0.065, 0.1)  # octaves


def motion_path(
    label: str, size: tuple[int, int], frames: int, seed: int, speed: float
) -> tuple[np.ndarray, np.ndarray]:
    """Position, angle and zoom at every frame.

    Args:
        label: one of MOTION_CLASSES.
        size: height and width in pixels.
        frames: number of frames T.
        seed: the clip's seed.
        speed: factor on all speeds.

    Returns:
        The state at the middle of the clip, float64 (4,): x, y in pixels,
        angle in radians, zoom in octaves, uniform on [0, w) x [0, h) x
        [0, 2 pi) x [0, 1) and the same for every label; and the state at
        every frame, float64 (T, 4), not wrapped.
    """
    height, width = size
    side = min(size)
    rng = np.random.default_rng([seed, 4])
    middle = rng.uniform(0, [width, height, 2 * np.pi, 1])
    shift = rng.uniform(*_SHIFT) * side
    rates = np.array([shift, shift, rng.uniform(*_TURN), rng.uniform(*_ZOOM)])
    velocity = speed * rates * np.array(_DIRECTIONS[label])
    time = np.arange(frames) - (frames - 1) / 2
    return middle, middle + time[:, None] * velocity


def render_motion(
    label: str,
    size: tuple[int, int],
    frames: int,
    seed: int,
    content: str = 'scene',
    speed: float = 1.0,
) -> np.ndarray:
    """Render one clip of the motion task.

    Args:
        label: one of MOTION_CLASSES.
        size: height and width in pixels, each MIN_SIDE or more.
        frames: number of frames T.
        seed: non-negative integer.
        content: what moves. 'scene': the whole picture. 'object': one
            textured disc or polygon before a still picture; it leaves on one
            side and enters on the other; its texture zooms behind a fixed
            outline. 'mixed': either, drawn from the seed.
        speed: factor on all speeds; 1 suits about 16 consecutive frames.

    Returns:
        uint8 (T, H, W, 3), RGB.

    Raises:
        ToolError: the size, the content or the speed cannot be rendered.
    """
    if min(size) < MIN_SIDE:
        raise ToolError(
            f'motion clips of {size[0]}x{size[1]} pixels are too small: use '
            f'a height and a width of at least {MIN_SIDE}'
        )
    if content not in MOTION_CONTENTS:
        raise ToolError(
            f'unknown content {content!r}: use one of '
            + ', '.join(MOTION_CONTENTS)
        )
    if not 0 < speed <= 4:
        raise ToolError(
            f'speed {speed} is out of range: use a number above 0, up to 4'
        )
    middle, path = motion_path(label, size, frames, seed, speed)
    rng = np.random.default_rng([seed, 1])
    # Drawn always, so that the other draws do not depend on the content.
    is_object = rng.random() < 0.5
    if content != 'mixed':
        is_object = content == 'object'
    if is_object:
        return _render_object(path, size, seed, rng)
    return _render_scene(path, path[:, :2] - middle[:2], size, seed, rng)


def _render_scene(
    path: np.ndarray,
    moved: np.ndarray,
    size: tuple[int, int],
    seed: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """The whole picture moves; `moved` is (T, 2), 0 at the middle."""
    height, width = size
    texture = EndlessTexture((seed, 2), min(size))
    palette = Palette(rng)
    # Turning and zooming happen about a point near the picture's middle.
    # (For a still it is immaterial where the texture's origin lies: the
    # offsets of the tiles are uniform.)
    pivot = np.array([width, height]) * rng.uniform(0.4, 0.6, 2)
    out = np.empty((len(path), height, width, 3), np.uint8)
    for t, (_, _, angle, zoom) in enumerate(path):
        centre = pivot + moved[t]
        field = texture.view(size, tuple(centre), angle, zoom)
        out[t] = to_uint8(palette.paint(field))
    return out


def _render_object(
    path: np.ndarray,
    size: tuple[int, int],
    seed: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """One textured shape moves before a still picture."""
    side = min(size)
    still = dim_background(size, (seed, 3), rng)
    palette = Palette(rng)
    texture = EndlessTexture((seed, 2), 0.75 * side)
    radius = rng.uniform(0.34, 0.42) * side
    corners = int(rng.choice([0, 3, 4, 5]))
    # Room for the radius, the soft edge and the fraction of a pixel.
    half = int(np.ceil(radius)) + 1
    window = min(2 * half + 1, side)
    out = np.empty((len(path), *size, 3), np.uint8)
    for t, (x, y, angle, zoom) in enumerate(path):
        left, top = int(np.floor(x)) - half, int(np.floor(y)) - half
        centre = (x - left, y - top)
        field = texture.view((window, window), centre, angle, zoom)
        mask = shape_mask(window, centre, radius, corners, angle)
        frame = still.copy()
        paste_wrapped(frame, palette.paint(field), mask, left, top)
        out[t] = to_uint8(frame)
    return out


def check_motion_classes(classes: Sequence[str]) -> None:
    """Raise ToolError unless every class is one of MOTION_CLASSES."""
    for label in classes:
        if label not in MOTION_CLASSES:
            raise ToolError(
                f'unknown class {label!r} of task motion: use any of '
                + ', '.join(MOTION_CLASSES)
            )
