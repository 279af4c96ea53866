"""Write frames as a real H.264 mp4 file, whole or not at all."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from lgd_tools.cli import ToolError


def check_video_size(size: tuple[int, int]) -> None:
    """Raise ToolError unless H.264 with yuv420p can hold this (h, w).

    Odd sizes are refused, not padded: padding would change the pictures, and
    yuv444p, which could hold them, is not read by every decoder.
    """
    height, width = size
    if height < 2 or width < 2 or height % 2 or width % 2:
        raise ToolError(
            f'H.264 video needs an even height and width, not '
            f'{height}x{width}: use {max(2, height + height % 2)}x'
            f'{max(2, width + width % 2)}'
        )


def check_fps(fps: float) -> Fraction:
    """The frame rate as a fraction; ToolError unless within (0, 1000]."""
    if not 0 < fps <= 1000:
        raise ToolError(
            f'frame rate {fps} is out of range: use a number of frames per '
            'second above 0, up to 1000'
        )
    return Fraction(fps).limit_denominator(1001)


def check_crf(crf: int) -> None:
    """Raise ToolError unless H.264 knows this quality."""
    if not 0 <= crf <= 51:
        raise ToolError(
            f'quality (crf) {crf} is out of range: use 0 (best) to 51'
        )


def write_video(
    path: str | os.PathLike,
    frames: np.ndarray,
    fps: float = 25,
    crf: int = 12,
    gop: int = 16,
) -> Path:
    """Encode frames with H.264 (libx264, yuv420p) into an mp4 file.

    The file is written under a hidden temporary name in the same folder and
    renamed when complete, so a file of this name is always a finished one.
    Equal frames give equal files on the same machine (one encoder thread).

    Args:
        path: file to write, made or replaced; its folder is made.
        frames: uint8 (T, H, W, 3), RGB; T >= 1, H and W even.
        fps: frames per second.
        crf: quality, 0 (lossless up to the colour conversion) to 51.
        gop: longest distance between key frames, in frames; short, so that
            training can seek cheaply.

    Returns:
        The path.

    Raises:
        ToolError: the frames, the size, the rate or the quality cannot be
            encoded, or the file cannot be written.
    """
    path = Path(path)
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        raise ToolError(
            f'{path}: frames must be uint8 of shape (T, H, W, 3), not '
            f'{frames.dtype} of shape {frames.shape}'
        )
    if not len(frames):
        raise ToolError(f'{path}: there is no frame to write; give at least 1')
    check_video_size(frames.shape[1:3])
    rate = check_fps(fps)
    check_crf(crf)
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _encode(part, frames, rate, crf, gop)
        os.replace(part, path)
    except OSError as error:  # av's errors are OSErrors too
        raise ToolError(
            f'{path} could not be written ({error}): check that the folder is '
            'writable, that the disk is not full, and that PyAV has libx264'
        ) from error
    finally:
        if part.exists():
            part.unlink()
    return path


def _encode(
    path: Path, frames: np.ndarray, rate: Fraction, crf: int, gop: int
) -> None:
    with av.open(str(path), 'w', format='mp4') as container:
        stream = container.add_stream('libx264', rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = gop
        stream.options = {'crf': str(crf), 'preset': 'veryfast'}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(frame), format='rgb24'
            )
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
