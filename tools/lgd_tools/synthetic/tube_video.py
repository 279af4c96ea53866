"""Draw a scene of tube_scenes.py: frames and masks."""

from collections.abc import Iterator

import numpy as np

from lgd_tools.synthetic.texture import (
    EndlessTexture,
    Palette,
    paste,
    to_uint8,
)
from lgd_tools.synthetic.tube_scenes import Scene


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
