"""The `relation` task: the class is a relation between two distant objects.

Two objects live in two rooms at opposite ends of the picture. Each has

- a motion: left, right, up or down, through its room, leaving on one side
  and entering on the other;
- a look that takes time to see: its colour steps through red, green, blue
  (look 0) or red, blue, green (look 1), over and over.

The class says whether the two motions are the same and whether the two looks
are the same:

    same_motion_same_look        same_motion_different_look
    different_motion_same_look   different_motion_different_look

or, one question at a time, `same_motion`, `different_motion` (looks free),
or `same_look`, `different_look` (motions free).

Why an object by itself tells nothing
-------------------------------------
Object 1 has motion m1, uniform over 4, and look l1, uniform over 2, drawn
without regard to the class. Object 2 has motion (m1 + s) mod 4 with s = 0 for
the same, uniform over 1, 2, 3 for a different motion, and look l1 or 1 - l1.
Given any class, (m1, l1) and (m2, l2) are each uniform over all 8 pairs. The
draw is a count, not a lottery (:func:`relation_factors`): 24 consecutive
seeds of any class go through every combination equally often.

Why a single frame tells nothing
--------------------------------
A frame shows two positions and two colours. Each position is uniform in its
room (a torus) and each step of the colours is uniform over the 6 frames of
their period, drawn independently for each object; a motion adds a known
amount on the torus, a look permutes the period. So at every time, given any
class, the two positions and the two colours are uniform and independent.
Shapes, textures, sizes, speeds and brightness are independent too.

Why it needs a global view
--------------------------
The rooms are 0.36 of the longer side wide and stand at its two ends: at least
0.28 of the longer side lies between any pixel of one object and any of the
other, or just `distance` pixels where that is given (the rooms then stand
around the middle). A unit sees both only if its receptive field is wider. And
both answers are exclusive-or-like: no sum of what each object shows is
enough; features of the two must be multiplied or compared.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lgd_tools.cli import ToolError
from lgd_tools.synthetic.texture import (
    EndlessTexture,
    paste_wrapped,
    shape_mask,
    to_uint8,
)

MOTIONS = ('left', 'up', 'right', 'down')
LOOKS = ('red-green-blue', 'red-blue-green')

# Class -> (same motion?, same look?); None = free.
_RELATIONS: dict[str, tuple[bool | None, bool | None]] = {
    'same_motion_same_look': (True, True),
    'same_motion_different_look': (True, False),
    'different_motion_same_look': (False, True),
    'different_motion_different_look': (False, False),
    'same_motion': (True, None),
    'different_motion': (False, None),
    'same_look': (None, True),
    'different_look': (None, False),
}
RELATION_CLASSES = tuple(_RELATIONS)[:4]
RELATION_FAMILIES = (
    RELATION_CLASSES,
    ('same_motion', 'different_motion'),
    ('same_look', 'different_look'),
)
MIN_LONG_SIDE = 56  # below, the objects have under 5 pixels of radius
MIN_SHORT_SIDE = 32

ROOM_SHARE = 0.36  # of the longer side
COLOUR_FRAMES = 2  # frames that a colour stays
_COLOURS = np.array([[230, 60, 50], [50, 200, 70], [70, 90, 240]], float)
# look -> colours in time; after the LOOKS of the task three that do not change
_ORDERS = np.array([[0, 1, 2], [0, 2, 1], [0, 0, 0], [1, 1, 1], [2, 2, 2]])
STILL_LOOKS = {'red': 2, 'green': 3, 'blue': 4}
_STEPS = {'left': (-1, 0), 'right': (1, 0), 'up': (0, -1), 'down': (0, 1)}
_SPEED = (0.05, 0.075)  # of the room's side, per frame


class Factors(NamedTuple):
    """What the two objects do: indices into MOTIONS and LOOKS."""

    motions: tuple[int, int]
    looks: tuple[int, int]


def relation_factors(label: str, seed: int) -> Factors:
    """Motions and looks of the two objects of a clip, by counting.

    The digits of the seed are m1 (base 4), l1 (base 2) and the difference of
    the motions (base 3, or 4 where the motion is free), so 24 consecutive
    seeds (96 where something is free) hold every combination that the class
    allows equally often.

    Args:
        label: a relation class.
        seed: the clip's seed.
    """
    same_motion, same_look = _RELATIONS[label]
    rest, motion = divmod(seed, len(MOTIONS))
    rest, look = divmod(rest, len(LOOKS))
    if same_motion is None:
        rest, turn = divmod(rest, len(MOTIONS))
    elif same_motion:
        turn = 0
    else:
        rest, turn = divmod(rest, len(MOTIONS) - 1)
        turn += 1
    flip = rest % len(LOOKS) if same_look is None else int(not same_look)
    return Factors(
        (motion, (motion + turn) % len(MOTIONS)),
        (look, (look + flip) % len(LOOKS)),
    )


def colour_sequence(
    look: int, phase: int, frames: int, hold: int = COLOUR_FRAMES
) -> np.ndarray:
    """Colour index (0 red, 1 green, 2 blue) at every frame.

    Args:
        look: index into LOOKS, or of STILL_LOOKS.
        phase: step within the period at frame 0, 0 to 3 * hold - 1.
        frames: number of frames T.
        hold: frames that a colour stays.

    Returns:
        int (T,).
    """
    step = (phase + np.arange(frames)) // hold % len(_COLOURS)
    return _ORDERS[look][step]


def rooms(
    size: tuple[int, int], distance: int | None = None
) -> list[tuple[slice, slice]]:
    """The rows and columns of the two rooms, in a picture of (h, w).

    Squares of ROOM_SHARE of the longer side (or as high as the picture), at
    the two ends of the longer side (left and right if it is square), in the
    middle of the other; with a distance, so many pixels apart.

    Raises:
        ToolError: The picture has no place for this distance.
    """
    long, short = max(size), min(size)
    room = min(int(ROOM_SHARE * long), short)
    farthest = long - 2 * room
    if distance is None:
        distance = farthest
    if not 0 <= distance <= farthest:
        raise ToolError(
            f'the objects cannot be {distance} pixels apart in '
            f'{size[0]}x{size[1]} pixels: use a distance from 0 to {farthest}'
        )
    across = slice((short - room) // 2, (short - room) // 2 + room)
    first = (farthest - distance) // 2
    second = first + room + distance
    ends = slice(first, first + room), slice(second, second + room)
    if size[1] >= size[0]:
        return [(across, end) for end in ends]
    return [(end, across) for end in ends]


def render_relation(
    label: str,
    size: tuple[int, int],
    frames: int,
    seed: int,
    distance: int | None = None,
) -> np.ndarray:
    """Render one clip of the relation task.

    Args:
        label: a relation class.
        size: height and width in pixels, the longer at least MIN_LONG_SIDE,
            the shorter at least MIN_SHORT_SIDE.
        frames: number of frames T; a look takes 6 to see in full.
        seed: non-negative integer.
        distance: between the rooms of the objects, in pixels; None: the
            rooms stand at the ends of the picture.

    Returns:
        uint8 (T, H, W, 3), RGB.

    Raises:
        ToolError: the size cannot be rendered.
    """
    if max(size) < MIN_LONG_SIDE or min(size) < MIN_SHORT_SIDE:
        raise ToolError(
            f'relation clips of {size[0]}x{size[1]} pixels are too small: use '
            f'a longer side of at least {MIN_LONG_SIDE} and a shorter side of '
            f'at least {MIN_SHORT_SIDE}'
        )
    factors = relation_factors(label, seed)
    places = rooms(size, distance)
    floor = _floor(size, places, seed)
    clip = np.repeat(floor[None], frames, axis=0)
    for number, room in enumerate(places):
        _draw_object(
            clip[:, room[0], room[1]],
            MOTIONS[factors.motions[number]],
            factors.looks[number],
            (seed, 2 + number),
        )
    return to_uint8(clip)


def render_object(
    motion: str,
    look: int,
    side: int,
    frames: int,
    seed: int,
    hold: int = COLOUR_FRAMES,
    speed: float = 1.0,
) -> np.ndarray:
    """Render one object in a room of its own, on an even floor.

    Args:
        motion: one of MOTIONS.
        look: index into LOOKS, or of STILL_LOOKS.
        side: of the room, in pixels.
        frames: number of frames T.
        seed: non-negative integer.
        hold: frames that a colour stays.
        speed: factor on the speed.

    Returns:
        uint8 (T, side, side, 3), RGB.
    """
    room = np.full((frames, side, side, 3), 90, np.float32)
    _draw_object(room, motion, look, (seed, 2), hold, speed)
    return to_uint8(room)


def _floor(
    size: tuple[int, int], places: list[tuple[slice, slice]], seed: int
) -> np.ndarray:
    """A still grey texture with two darker rooms, float32 (h, w, 3)."""
    rng = np.random.default_rng([seed, 1])
    texture = EndlessTexture((seed, 1), min(size))
    field = texture.view(size, (0.0, 0.0), 0.0, rng.uniform())[..., 0]
    grey = 150 + 25 * field
    for rows, cols in places:
        grey[rows, cols] = 90 + 12 * field[rows, cols]
    return np.repeat(grey[..., None], 3, axis=2).astype(np.float32)


def _draw_object(
    room: np.ndarray,
    motion: str,
    look: int,
    seed: tuple[int, int],
    hold: int = COLOUR_FRAMES,
    speed: float = 1.0,
) -> None:
    """Draw an object into float32 (T, s, s, 3), in place."""
    rng = np.random.default_rng(seed)
    frames, side = room.shape[:2]
    start = rng.uniform(0, side, 2)
    velocity = rng.uniform(*_SPEED) * side * np.array(_STEPS[motion]) * speed
    phase = int(rng.integers(hold * len(_COLOURS)))
    colours = colour_sequence(look, phase, frames, hold)
    radius = rng.uniform(0.26, 0.34) * side
    corners = int(rng.choice([0, 3, 4, 5]))
    angle = rng.uniform(0, 2 * np.pi)
    bright = rng.uniform(0.85, 1.0)
    texture = EndlessTexture(seed, 2.5 * radius)
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
        paste_wrapped(room[t], patch, mask, left, top)


def check_relation_classes(classes: Sequence[str]) -> None:
    """Raise ToolError unless all classes are of one family."""
    for label in classes:
        if label not in _RELATIONS:
            raise ToolError(
                f'unknown class {label!r} of task relation: use any of '
                + ', '.join(_RELATIONS)
            )
    if not any(set(classes) <= set(family) for family in RELATION_FAMILIES):
        raise ToolError(
            'these classes of task relation overlap: take all from one of '
            + '; '.join(', '.join(family) for family in RELATION_FAMILIES)
        )
