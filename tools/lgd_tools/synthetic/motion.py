"""Clips of a textured scene that moves; the class is how it moves.

A frame is a view of a random texture with a position, an angle and a zoom.
All three are drawn uniformly on closed circles (see texture.py: position
modulo the tile, angle modulo 2 pi, zoom modulo one octave with independent
layers) at the *middle* of the clip, and a motion advances exactly one of them
at constant speed. A uniform variable on a circle plus any constant is
uniform again: so the frame at any time, of any class, has one and the same
distribution, and no single frame tells the class. Moreover clips of equal
seed differ in the class only: those of opposite classes are the same frames
in reverse order, and an odd number of frames has one middle frame for all.

A horizontal flip turns left into right and clockwise into counter_clockwise:
train without it.
"""

import numpy as np

from lgd_tools.cli import ToolError
from lgd_tools.synthetic.texture import EndlessTexture, Palette, to_uint8

# Class -> direction of (x, y, angle, zoom). y points down.
DIRECTIONS = {
    'left': (-1, 0, 0, 0),
    'right': (1, 0, 0, 0),
    'up': (0, -1, 0, 0),
    'down': (0, 1, 0, 0),
    'clockwise': (0, 0, 1, 0),
    'counter_clockwise': (0, 0, -1, 0),
    'approaching': (0, 0, 0, 1),
    'receding': (0, 0, 0, -1),
}
MIN_SIDE = 32  # below, the texture's finest wavelength is under 3 pixels

# Speeds per frame; 16 frames move by about 0.6 of the shorter side, turn by
# about 90 degrees, or zoom by about 1.3 octaves.
_SHIFT = (0.03, 0.045)  # of the shorter side
_TURN = (np.deg2rad(4.5), np.deg2rad(7))
_ZOOM = (0.065, 0.1)  # octaves


def motion_path(
    label: str, size: tuple[int, int], frames: int, seed: int, speed: float
) -> tuple[np.ndarray, np.ndarray]:
    """State at the middle of the clip, and at every frame, not wrapped.

    Returns:
        float64 (4,) and (T, 4): x, y in pixels, angle in radians, zoom in
        octaves. The first is the same for every label and uniform on
        [0, w) x [0, h) x [0, 2 pi) x [0, 1).
    """
    height, width = size
    side = min(size)
    rng = np.random.default_rng([seed, 4])
    middle = rng.uniform(0, [width, height, 2 * np.pi, 1])
    shift = rng.uniform(*_SHIFT) * side
    rates = np.array([shift, shift, rng.uniform(*_TURN), rng.uniform(*_ZOOM)])
    velocity = speed * rates * np.array(DIRECTIONS[label])
    time = np.arange(frames) - (frames - 1) / 2
    return middle, middle + time[:, None] * velocity


def render_motion(
    label: str,
    size: tuple[int, int] = (112, 112),
    frames: int = 16,
    seed: int = 0,
    speed: float = 1.0,
) -> np.ndarray:
    """One clip: uint8 (T, H, W, 3), RGB; equal arguments, equal frames.

    Args:
        label: A key of DIRECTIONS.
        size: Height and width in pixels, each MIN_SIDE or more.
        frames: T, at least 2.
        seed: Non-negative integer.
        speed: Factor on all speeds; 1 suits about 16 consecutive frames.
    """
    if min(size) < MIN_SIDE or frames < 2 or not 0 < speed <= 4:
        raise ToolError(
            f'clips of {frames} frames of {size[1]}x{size[0]} pixels at '
            f'speed {speed} cannot show a motion: use at least 2 frames, '
            f'sides of at least {MIN_SIDE}, a speed above 0, up to 4'
        )
    middle, path = motion_path(label, size, frames, seed, speed)
    rng = np.random.default_rng([seed, 1])
    rng.random()  # a draw of earlier versions: their clips stay the same
    texture, palette = EndlessTexture((seed, 2), min(size)), Palette(rng)
    # Turning and zooming happen about a point near the picture's middle.
    # (For a still it is immaterial where the texture's origin lies: the
    # offsets of the tiles are uniform.)
    pivot = np.array(size[::-1]) * rng.uniform(0.4, 0.6, 2)
    out = np.empty((frames, *size, 3), np.uint8)
    for t, (x, y, angle, zoom) in enumerate(path):
        centre = pivot + ([x, y] - middle[:2])
        field = texture.view(size, tuple(centre), angle, zoom)
        out[t] = to_uint8(palette.paint(field))
    return out
