"""Batches of the study's question: are two objects, far apart, the same?

An object moves and changes its colour, by itself in a room. Its motion (left,
right, up or down; it leaves on one side and enters on the other) and its look
(the order in which its colours follow each other) show in no single frame:
its place is uniform in the room (a torus) and the step of the colours uniform
over their period, and both stay so at every time.

Objects are rendered once into a bank; a clip is two of them on an even floor.
Whatever the class, each object by itself is uniform, so only a comparison of
the two tells it.
"""

from functools import cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

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

SIDE = 8  # of an object's room, in pixels
FRAMES = 2
HEIGHT, WIDTH = SIDE, 64
MAX_DISTANCE = WIDTH - 2 * SIDE
FASTER = 2.0  # two frames are few
# question -> the looks; `colour` can be seen in one frame, `look` (the order
# of three colours) and `motion` in no frame
QUESTIONS = {
    'colour': (STILL_LOOKS['red'], STILL_LOOKS['green']),
    'look': (0, 1),
    'motion': (0, 1),
}
CLASSES = 2  # different, same


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

    The motion is one of MOTIONS, the look that of :func:`colour_sequence`,
    `side` of the room in pixels, `speed` a factor.
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


@cache
def bank(question: str, seed: int, copies: int) -> Tensor:
    """Objects of every motion and look: uint8 (M, L, copies, 3, T, s, s)."""
    looks = QUESTIONS[question]
    kinds = list(product(MOTIONS, looks, range(copies)))
    first = seed * len(kinds)
    clips = [
        render_object(motion, look, SIDE, FRAMES, first + number, FASTER)
        for number, (motion, look, _) in enumerate(kinds)
    ]
    objects = torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3)
    shape = (len(MOTIONS), len(looks), copies, *objects.shape[1:])
    return objects.reshape(shape).contiguous()


def draw_factors(
    question: str, size: int, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Labels (N,), and motions and looks (N, 2) of the two objects.

    Half of the labels are 1, 'same'. Given the label, motion and look of
    each object are uniform and independent.
    """

    def uniform(count: int) -> Tensor:
        return torch.randint(count, (size,), generator=rng)

    labels = torch.arange(size) % CLASSES
    motions = torch.stack([uniform(len(MOTIONS)) for _ in range(2)], 1)
    looks = torch.stack([uniform(2) for _ in range(2)], 1)
    if question == 'motion':
        turn = (1 - labels) * (1 + uniform(len(MOTIONS) - 1))
        motions[:, 1] = (motions[:, 0] + turn) % len(MOTIONS)
    else:
        looks[:, 1] = (looks[:, 0] + 1 - labels) % 2
    return labels, motions, looks


def compose(objects: Tensor, distance: int, places: Tensor) -> Tensor:
    """Two objects on an even floor: float (N, 3, T, HEIGHT, WIDTH).

    Of uint8 (N, 2, 3, T, SIDE, SIDE), with 0 to MAX_DISTANCE pixels between
    the two, the left end of the first at `places` (N,).
    """
    size = len(objects)
    clips = torch.full((size, 3, FRAMES, HEIGHT, WIDTH), 150.0)
    for clip, pair, left in zip(clips, objects, places.tolist(), strict=True):
        right = left + SIDE + distance
        clip[..., left : left + SIDE] = pair[0]
        clip[..., right : right + SIDE] = pair[1]
    return (clips - 110) / 50


def as_frames(clip: Tensor) -> np.ndarray:
    """A composed clip (3, T, H, W) as pictures, uint8 (T, H, W, 3)."""
    return (clip * 50 + 110).byte().permute(1, 2, 3, 0).numpy()


class Task:
    """Endless batches: equal arguments, equal batches, for any network.

    The seed is of bank and draws; training and test share neither. There are
    so many copies of every motion and look.
    """

    def __init__(
        self,
        question: str,
        distance: int,
        seed: int,
        test: bool = False,
        copies: int = 48,
    ) -> None:
        self.question, self.distance = question, distance
        stream = 2 * seed + test
        self.bank = bank(question, stream, copies)
        self.rng = torch.Generator().manual_seed(stream)

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Clips (N, 3, T, HEIGHT, WIDTH) and labels (N,), 1 = the same."""
        labels, motions, looks = draw_factors(self.question, size, self.rng)
        copies = self.bank.size(2)
        copy = torch.randint(copies, (size, 2), generator=self.rng)
        free = MAX_DISTANCE - self.distance
        places = torch.randint(free + 1, (size,), generator=self.rng)
        objects = self.bank[motions, looks, copy]
        return compose(objects, self.distance, places), labels
