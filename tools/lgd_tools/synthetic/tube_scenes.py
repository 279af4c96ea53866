"""Scenes of moving shapes, some of which act: their plan, their pictures.

An *actor* does one of four actions, for part of the video or all of it; a
*bystander* only drifts. Everyone has a random outline, texture, size and
drift, so that a look or a single frame tells neither the action nor who acts:

    bounce   up and down       pulse   larger and smaller
    spin     turns             sway    left and right

A scene is a plan, made from a seed without drawing anything; `render_scene`
draws it. The box of a shape is the extent of its mask, so boxes and masks
agree to the pixel.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lgd_tools.cli import ToolError
from lgd_tools.synthetic.texture import (
    EndlessTexture,
    Palette,
    paste,
    shape_mask,
    to_uint8,
)

ACTIONS = ('bounce', 'pulse', 'spin', 'sway')
MIN_SIZE = (96, 128)  # height, width: room for three shapes
_TRIES = 24  # places tried for each shape, the freest is taken


@dataclass(frozen=True)
class Shape:
    """One shape over the T frames of a video."""

    corners: int  # 0: a disc, else those of a regular polygon
    centre: np.ndarray  # (T, 2) x, y in pixels
    radius: np.ndarray  # (T,) outer radius in pixels
    angle: np.ndarray  # (T,) clockwise turn in radians
    acting: np.ndarray  # (T,) whether it acts
    seed: tuple[int, ...]  # of its texture and colours

    def mask(self, frame: int) -> tuple[np.ndarray, int, int]:
        """Soft mask (n, n) in one frame, and its left and top pixel."""
        radius, centre = self.radius[frame], self.centre[frame]
        half = int(np.ceil(radius)) + 2
        corner = np.floor(centre).astype(int) - half
        place, turn = tuple(centre - corner), self.angle[frame]
        mask = shape_mask(2 * half + 1, place, radius, self.corners, turn)
        return mask, *corner.tolist()

    def boxes(self, size: tuple[int, int]) -> np.ndarray:
        """Extents of the masks within frames of this height and width.

        int (T, 4) x1 y1 x2 y2, edges in pixels.
        """
        boxes = []
        for frame in range(len(self.radius)):
            mask, left, top = self.mask(frame)
            x, y, w, h = cv2.boundingRect((mask > 0.5).astype(np.uint8))
            x, y = left + x, top + y
            boxes.append([x, y, x + w, y + h])
        return np.clip(boxes, 0, [size[1], size[0]] * 2)


@dataclass(frozen=True)
class Scene:
    """The plan of a video of T frames."""

    action: str  # one of ACTIONS
    size: tuple[int, int]  # height and width in pixels
    frames: int  # T
    shapes: tuple[Shape, ...]  # bystanders first: none of them hides an actor
    seed: tuple[int, ...]  # of the background


def plan_scene(
    action: str,
    size: tuple[int, int],
    frames: int,
    seed: Sequence[int],
    actors: int = 1,
    bystanders: int = 1,
    trimmed: bool = True,
) -> Scene:
    """Plan one video; equal arguments give equal scenes.

    Args:
        action: What the actors do, one of ACTIONS.
        size: Height and width in pixels, at least MIN_SIZE.
        frames: T, at least 8.
        seed: Non-negative integers.
        actors, bystanders: How many shapes act, and do not.
        trimmed: The actors act in every frame; else each for 30 to 70 % of
            the video, and drifts like a bystander before and after.
    """
    if size[0] < MIN_SIZE[0] or size[1] < MIN_SIZE[1] or frames < 8:
        raise ToolError(
            f'videos of {frames} frames of {size[1]}x{size[0]} pixels are '
            f'too small: use at least 8 frames of {MIN_SIZE[1]}x{MIN_SIZE[0]}'
        )
    rng, shapes = np.random.default_rng([*seed, 1]), []
    for index in range(actors + bystanders):
        own = action if index < actors else None
        look = (*seed, 2, index)
        shapes += [_plan_shape(rng, look, own, size, frames, trimmed, shapes)]
    shapes = shapes[actors:] + shapes[:actors]
    return Scene(action, tuple(size), frames, tuple(shapes), (*seed, 3))


def _plan_shape(
    rng: np.random.Generator,
    seed: tuple[int, ...],
    action: str | None,
    size: tuple[int, int],
    frames: int,
    trimmed: bool,
    others: Sequence[Shape],
) -> Shape:
    side = min(size)
    time = np.arange(frames)
    base = rng.uniform(0.12, 0.18) * side
    corners = int(rng.choice([0, 3, 4, 5]))
    turn = rng.uniform(0, 2 * np.pi)
    # drawn whether used or not: the other draws do not depend on the action
    length = frames
    if not trimmed:
        length = max(8, round(rng.uniform(0.3, 0.7) * frames))
    start = int(rng.integers(0, frames - length + 1))
    period = rng.uniform(8, 13)  # frames
    sign = rng.choice([-1, 1])
    reach = rng.uniform(0.4, 0.6) * base
    swell = rng.uniform(0.22, 0.32)
    rate = rng.uniform(np.deg2rad(9), np.deg2rad(15))

    acting = np.zeros(frames, bool)
    if action is not None:
        acting[start : start + length] = True
    # frames since the action began; it stops where it has come to
    done = np.clip(time - start, 0, length - 1) * (action is not None)
    wave = sign * np.sin(2 * np.pi * done / period)
    offset = np.zeros((frames, 2))
    radius, angle = np.full(frames, base), np.full(frames, turn)
    if action == 'sway':
        offset[:, 0] = reach * wave
    elif action == 'bounce':
        offset[:, 1] = reach * wave
    elif action == 'pulse':
        radius = base * (1 + swell * wave)
    elif action == 'spin':
        angle = turn + sign * rate * done
    centre = _place(rng, time, radius.max() + 2, offset, size, others)
    return Shape(corners, centre, radius, angle, acting, seed)


def _place(
    rng: np.random.Generator,
    time: np.ndarray,
    margin: float,
    offset: np.ndarray,
    size: tuple[int, int],
    others: Sequence[Shape],
) -> np.ndarray:
    """A drifting path (T, 2) inside the frame, far from the others."""
    low = margin - offset.min(0)
    high = np.array(size[::-1]) - margin - offset.max(0)
    room = np.maximum(high - low, 0)

    def draw() -> np.ndarray:
        # 0.2 to 1.5 pixels a frame at 240 lines, less where the video is long
        speed = rng.uniform(0.2, 1.5) * min(size) / 240
        heading = rng.uniform(0, 2 * np.pi)
        way = speed * len(time) * np.array([np.cos(heading), np.sin(heading)])
        way = np.clip(way, -room, room)
        first = low + np.maximum(-way, 0)
        first = first + rng.random(2) * (room - np.abs(way))
        return first + offset + np.outer(time / len(time), way)

    def gap(path: np.ndarray) -> float:
        return min(np.hypot(*(path - s.centre).T).min() for s in others)

    if not others:
        return draw()
    return max((draw() for _ in range(_TRIES)), key=gap)


def render_scene(scene: Scene) -> Iterator[np.ndarray]:
    """Every frame of a scene, uint8 (H, W, 3) RGB."""
    rng = np.random.default_rng([*scene.seed, 1])
    texture = EndlessTexture((*scene.seed, 2), min(scene.size))
    palette = Palette(rng)
    angle, zoom = rng.uniform(0, 2 * np.pi), rng.uniform()
    field = texture.view(scene.size, (0, 0), angle, zoom)
    still = 50 + 0.3 * palette.paint(field)  # dim: shapes stand out
    paints = []
    for shape in scene.shapes:
        palette = Palette(np.random.default_rng([*shape.seed, 1]))
        texture = EndlessTexture((*shape.seed, 2), 3 * shape.radius[0])
        paints.append((shape, palette, texture))
    for frame in range(scene.frames):
        canvas = still.copy()
        for shape, palette, texture in paints:
            mask, left, top = shape.mask(frame)
            field = texture.view(
                mask.shape,
                tuple(shape.centre[frame] - [left, top]),
                shape.angle[frame],
                float(np.log2(shape.radius[frame] / shape.radius[0])),
            )
            paste(canvas, palette.paint(field), mask, left, top)
        yield to_uint8(canvas)


def actor_masks(scene: Scene) -> np.ndarray:
    """uint8 (H, W, T): 1 where the scene's actor is, as in puppet_mask.mat.

    The mask of the first actor; J-HMDB has one.
    """
    actor = next(shape for shape in scene.shapes if shape.acting.any())
    out = np.zeros((scene.frames, *scene.size, 1), np.float32)
    for frame, canvas in enumerate(out):
        mask, left, top = actor.mask(frame)
        paste(canvas, np.ones((*mask.shape, 1)), mask, left, top)
    return (out[..., 0] > 0.5).transpose(1, 2, 0).astype(np.uint8)
