"""Draw a scene of tube_scenes.py; write pictures as video or as files."""

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from lgd_tools.cli import ToolError
from lgd_tools.synthetic.texture import EndlessTexture, Palette, to_uint8
from lgd_tools.synthetic.tube_scenes import Scene

_CODECS = {'.avi': 'mpeg4', '.mp4': 'libx264'}


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


def write_stream(
    path: str | os.PathLike,
    frames: Iterable[np.ndarray],
    fps: float | Fraction = 25,
) -> Path:
    """Encode frames one by one, whole or not at all.

    Args:
        path: File to write; its folder is made. '.avi' becomes MPEG-4, as
            J-HMDB and UCF101 are distributed, '.mp4' H.264.
        frames: uint8 (H, W, 3) RGB, H and W even, at least one.
        fps: Frames per second.

    Raises:
        ToolError: The file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        with av.open(str(part), 'w', format=path.suffix[1:]) as container:
            stream = None
            for frame in frames:
                if stream is None:
                    stream = container.add_stream(
                        _CODECS[path.suffix],
                        rate=Fraction(fps).limit_denominator(1001),
                    )
                    stream.height, stream.width = frame.shape[:2]
                    stream.pix_fmt = 'yuv420p'
                    stream.codec_context.thread_count = 1
                    stream.codec_context.gop_size = 12
                    _set_quality(stream)
                picture = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(frame), format='rgb24'
                )
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        os.replace(part, path)
    except OSError as error:  # av's errors are OSErrors too
        raise ToolError(
            f'{path} could not be written ({error}): check that the folder '
            'is writable, that the disk is not full, and that PyAV has '
            f'{_CODECS[path.suffix]}'
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _set_quality(stream: av.VideoStream) -> None:
    if stream.codec_context.name == 'mpeg4':
        # good pictures: quantiser 2 to 4 of 31
        context = stream.codec_context
        context.max_b_frames = 0
        context.bit_rate, context.qmin, context.qmax = 16_000_000, 2, 4
    else:
        stream.options = {'crf': '18', 'preset': 'veryfast'}


def write_frames(
    folder: str | os.PathLike,
    frames: Iterable[np.ndarray],
    suffix: str = '.png',
) -> Path:
    """Write frames as 00001.png (or .jpg) ..., whole or not at all."""
    folder = Path(folder)
    part = folder.with_name(f'.{folder.name}.part')
    part.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, 1):
        file = part / f'{number:05d}{suffix}'
        if not cv2.imwrite(str(file), frame[..., ::-1]):
            raise ToolError(
                f'{file} could not be written: check that the folder is '
                'writable and that the disk is not full'
            )
    os.replace(part, folder)
    return folder
