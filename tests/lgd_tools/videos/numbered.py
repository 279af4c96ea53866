"""Videos whose frames carry their numbers, in formats that people have."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, FRAMES = 160, 112, 30
# suffix: encoder, its options, B-frames
KINDS = {
    'bframes.mp4': ('libx264', dict(bf='3', g='12'), 3),
    'open_gop.mp4': (
        'libx265',
        {'x265-params': 'keyint=12:bframes=3:open-gop=1:log-level=none'},
        3,
    ),
    'transport.ts': ('libx264', dict(bf='3', g='12'), 3),
    'xvid.avi': ('mpeg4', dict(g='12'), 2),
    'site.webm': ('libvpx-vp9', dict(g='12', deadline='realtime'), 0),
    'times.mkv': ('libx264', dict(g='12'), 3),
    'loop.gif': ('gif', {}, 0),
}


def picture(number: int) -> np.ndarray:
    """(H, W, 3): ten blocks, the bits of the number, the lowest left."""
    frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    frame[: HEIGHT // 4, : WIDTH // 4] = 220, 20, 20  # red: upright
    bits = [255 * (number >> k & 1) for k in range(10)]
    frame[HEIGHT * 5 // 8 :] = np.repeat(bits, WIDTH // 10)[:, None]
    return frame


def number_of(frame: np.ndarray) -> int:
    """The number in an upright (H, W, 3) uint8 frame."""
    height, width = frame.shape[:2]
    row = frame[height * 6 // 8 : height * 7 // 8].mean((0, 2))
    middles = [int((k + 0.5) * width / 10) for k in range(10)]
    return sum(int(row[x] > 125) << k for k, x in enumerate(middles))


def write(path: Path, kind: str) -> Path:
    """A video of ``FRAMES`` frames; .mkv with frame times that vary."""
    codec, options, bframes = KINDS[kind]
    with av.open(str(path), 'w') as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = 'rgb8' if codec == 'gif' else 'yuv420p'
        stream.codec_context.max_b_frames = bframes
        stream.options = options
        clock = Fraction(1, 100)
        if kind.endswith('.mkv'):
            stream.time_base = stream.codec_context.time_base = clock
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(number), 'rgb24')
            if kind.endswith('.mkv'):
                frame.time_base = clock
                frame.pts = 4 * number + 9 * (number > 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
