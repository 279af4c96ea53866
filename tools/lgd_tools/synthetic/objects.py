"""A moving object whose colour changes, by itself in a room.

Its motion (left, right, up or down; it leaves on one side and enters on the
other) and its look (the order in which its colours follow each other) show
in no single frame: its place is uniform in the room (a torus) and the step
of the colours uniform over their period, and both stay so at every time.
"""

import numpy as np

from lgd_tools.synthetic.texture import (
    EndlessTexture,
    paste,
    shape_mask,
    to_uint8,
)

_STEPS = {'left': (-1, 0), 'up': (0, -1), 'right': (1, 0), 'down': (0, 1)}
MOTIONS = tuple(_STEPS)
_SPEED = (0.05, 0.075)  # of the room's side, per frame
_COLOURS = np.array([[230, 60, 50], [50, 200, 70], [70, 90, 240]], float)
# look -> colours (red, green, blue) in time: two orders, three that stay
_ORDERS = np.array([[0, 1, 2], [0, 2, 1], [0, 0, 0], [1, 1, 1], [2, 2, 2]])
STILL_LOOKS = {'red': 2, 'green': 3, 'blue': 4}


def colour_sequence(look: int, step: int, frames: int) -> np.ndarray:
    """Colour index (0 red, 1 green, 2 blue) at every frame, int (T,).

    Look 0 is red, green, blue, 1 is red, blue, green, others are STILL_LOOKS;
    frame 0 shows this step of it.
    """
    return _ORDERS[look][(step + np.arange(frames)) % len(_COLOURS)]


def render_object(
    motion: str,
    look: int,
    side: int,
    frames: int,
    seed: int,
    speed: float = 1.0,
) -> np.ndarray:
    """One object on an even floor: uint8 (T, side, side, 3), RGB.

    Args:
        motion: One of MOTIONS.
        look: Of :func:`colour_sequence`.
        side: Of the room, in pixels.
        frames: T.
        seed: Non-negative integer.
        speed: A factor.
    """
    room = np.full((frames, side, side, 3), 90, np.float32)
    rng = np.random.default_rng((seed, 2))
    start = rng.uniform(0, side, 2)
    velocity = rng.uniform(*_SPEED) * side * np.array(_STEPS[motion]) * speed
    colours = colour_sequence(look, int(rng.integers(len(_COLOURS))), frames)
    radius = rng.uniform(0.26, 0.34) * side
    corners = int(rng.choice([0, 3, 4, 5]))
    angle = rng.uniform(0, 2 * np.pi)
    bright = rng.uniform(0.85, 1.0)
    texture = EndlessTexture((seed, 2), 2.5 * radius)
    zoom = rng.uniform()
    half = int(np.ceil(radius)) + 1
    window = min(2 * half + 1, side)
    for t in range(frames):
        x, y = start + t * velocity
        left, top = int(np.floor(x)) - half, int(np.floor(y)) - half
        centre = (x - left, y - top)
        field = texture.view((window, window), centre, angle, zoom)
        shade = bright * (0.85 + 0.15 * field[..., :1])
        patch = (shade * _COLOURS[colours[t]]).astype(np.float32)
        mask = shape_mask(window, centre, radius, corners, angle)
        paste(room[t], patch, mask, left, top, wrap=True)
    return to_uint8(room)
