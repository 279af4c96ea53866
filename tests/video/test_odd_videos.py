"""Odd videos, made here: frames by number, each of which carries its own."""

from pathlib import Path

import av
import numpy as np
import pytest

from lgd_mmaction.video import Video
from tests.video.test_reader import requests, sequential

COUNT = 40
# kind: name of the file, encoder, its options
KINDS = {
    'transport stream': ('a.ts', 'libx264', dict(g='12', bf='2')),
    'MPEG-4 with B-frames in AVI': ('a.avi', 'mpeg4', dict(g='12', bf='2')),
    'open GOP': ('a.mp4', 'libx264', {'x264-params': 'open-gop=1:keyint=8'}),
    'VP8': ('a.webm', 'libvpx', dict(g='12', deadline='realtime')),
    'VP9': ('b.webm', 'libvpx-vp9', dict(g='12', deadline='realtime')),
    'live': ('a.mkv', 'libx264', dict(g='12', bf='2')),
    'GIF': ('a.gif', 'gif', {}),
    'varying rate': ('b.mp4', 'libx264', dict(g='12', bf='2')),
}


def picture(number: int) -> np.ndarray:
    """The number in six bars, black or white, upright, above grey."""
    image = np.full((64, 96, 3), 128, np.uint8)
    for bit in range(6):
        image[:32, bit * 16 : bit * 16 + 16] = 255 * (number >> bit & 1)
    return image


def number(image: np.ndarray) -> int:
    """What :func:`picture` drew; also says that it stands upright."""
    # eight bits a pixel, in GIF, are coarse
    assert abs(image[48, 48].astype(int) - 128).max() < 60
    bars = image[16, 8::16].mean(-1) > 128
    return int(sum(1 << bit for bit, white in enumerate(bars) if white))


def make(folder: Path, kind: str) -> Path:
    name, codec, options = KINDS[kind]
    path = folder / name
    live = dict(live='1') if kind == 'live' else {}
    with av.open(str(path), 'w', options=live) as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height = 96, 64
        stream.pix_fmt = 'rgb8' if codec == 'gif' else 'yuv420p'
        for i in range(COUNT):
            frame = av.VideoFrame.from_ndarray(picture(i))
            frame.pts = i + (i // 5 if kind == 'varying rate' else 0)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize('kind', KINDS)
def test_every_frame_carries_its_number(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind)
    assert [number(image) for image in sequential(path)] == [*range(COUNT)]
    with Video(path) as video:
        assert video.num_frames == COUNT and video.size == (96, 64)
        for numbers in requests(COUNT):
            images = video.frames(numbers)
            assert [number(image) for image in images] == numbers
