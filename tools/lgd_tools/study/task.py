"""Batches of the study's question: are two objects, far apart, the same?

The objects, their motions and their looks are those of
``lgd_tools.synthetic.objects``, rendered once into a bank; a clip is two of
them on an even floor. Whatever the class, each object by itself is uniform,
so only a comparison of the two tells it.
"""

from functools import cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

from lgd_tools.synthetic.objects import MOTIONS, STILL_LOOKS, render_object

SIDE = 8  # of an object's room, in pixels
FRAMES = 2
HEIGHT, WIDTH = SIDE, 64
MAX_DISTANCE = WIDTH - 2 * SIDE
_SPEED = 2.0  # times that of the task: two frames are few
# question -> the looks; `colour` can be seen in one frame, `look` (the order
# of three colours) and `motion` in no frame
QUESTIONS = {
    'colour': (STILL_LOOKS['red'], STILL_LOOKS['green']),
    'look': (0, 1),
    'motion': (0, 1),
}
CLASSES = 2  # different, same


@cache
def bank(question: str, seed: int, copies: int) -> Tensor:
    """Objects of every motion and look: uint8 (M, L, copies, 3, T, s, s)."""
    looks = QUESTIONS[question]
    kinds = list(product(MOTIONS, looks, range(copies)))
    first = seed * len(kinds)
    clips = [
        render_object(motion, look, SIDE, FRAMES, first + number, _SPEED)
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

    Args:
        objects: uint8 (N, 2, 3, T, SIDE, SIDE).
        distance: Pixels between the two, 0 to MAX_DISTANCE.
        places: Left end of the first one, (N,).
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
