"""Draw a scene of tube_scenes.py; write pictures as files."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from lgd_mmaction.files import atomic_path
from lgd_tools.cli import ToolError
from lgd_tools.synthetic.texture import EndlessTexture, Palette, to_uint8
from lgd_tools.synthetic.tube_scenes import Scene


def render_scene(scene: Scene) -> Iterator[np.ndarray]:
    """Every frame of a scene, uint8 (H, W, 3) RGB."""
    height, width = scene.size
    side = min(scene.size)
    rng = np.random.default_rng([*scene.seed, 1])
    behind = EndlessTexture((*scene.seed, 2), side)
    still = Palette(rng).paint(
        behind.view(
            scene.size, (0.0, 0.0), rng.uniform(0, 2 * np.pi), rng.uniform()
        )
    )
    still = 50 + 0.3 * still  # dim, so that the shapes stand out
    paints = []
    for shape in scene.shapes:
        palette = Palette(np.random.default_rng([*shape.seed, 1]))
        texture = EndlessTexture((*shape.seed, 2), 3 * shape.radius[0])
        paints.append((shape, palette, texture))
    for frame in range(scene.frames):
        canvas = still.copy()
        for shape, palette, texture in paints:
            mask, left, top = shape.mask(frame)
            centre = shape.centre[frame] - [left, top]
            field = texture.view(
                mask.shape,
                tuple(centre),
                shape.angle[frame],
                float(np.log2(shape.radius[frame] / shape.radius[0])),
            )
            _paste(canvas, palette.paint(field), mask, left, top)
        yield to_uint8(canvas)


def _paste(
    canvas: np.ndarray,
    patch: np.ndarray,
    mask: np.ndarray,
    left: int,
    top: int,
) -> None:
    """Blend a patch into the canvas in place, cut at the edges."""
    height, width = canvas.shape[:2]
    x1, y1 = max(left, 0), max(top, 0)
    x2 = min(left + mask.shape[1], width)
    y2 = min(top + mask.shape[0], height)
    if x1 >= x2 or y1 >= y2:
        return
    part = np.s_[y1 - top : y2 - top, x1 - left : x2 - left]
    spot = canvas[y1:y2, x1:x2]
    spot += mask[part][..., None] * (patch[part] - spot)


def actor_masks(scene: Scene) -> np.ndarray:
    """uint8 (H, W, T): 1 where the scene's actor is, as in puppet_mask.mat.

    The mask of the first actor; J-HMDB has one.
    """
    actor = scene.actors[0]
    out = np.zeros((*scene.size, scene.frames), np.uint8)
    for frame in range(scene.frames):
        mask, left, top = actor.mask(frame)
        canvas = np.zeros((*scene.size, 1), np.float32)
        _paste(canvas, np.ones((*mask.shape, 1), np.float32), mask, left, top)
        out[..., frame] = canvas[..., 0] > 0.5
    return out


def write_frames(
    folder: str | os.PathLike,
    frames: Iterable[np.ndarray],
    suffix: str = '.png',
) -> Path:
    """Write frames as 00001.png (or .jpg) ..., whole or not at all."""
    with atomic_path(folder) as part:
        part.mkdir()
        for number, frame in enumerate(frames, 1):
            file = part / f'{number:05d}{suffix}'
            if not cv2.imwrite(str(file), frame[..., ::-1]):
                raise ToolError(
                    f'{file} could not be written: check that the folder is '
                    'writable and that the disk is not full'
                )
    return Path(folder)
