"""Odd videos, made here: frames by number, each of which carries its own."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from lgd_mmaction.video import Video
from tests.video.test_reader import requests

COUNT = 40
CUT = 5
# kind: name of the file, encoder, its options
KINDS = {
    'transport stream': ('a.ts', 'libx264', dict(g='12', bf='2')),
    'MPEG-4 with B-frames in AVI': ('a.avi', 'mpeg4', dict(g='12', bf='2')),
    'open GOP': ('a.mp4', 'libx264', {'x264-params': 'open-gop=1:keyint=8'}),
    'HEVC with open GOP': (
        'b.mp4',
        'libx265',
        {'x265-params': 'open-gop=1:keyint=8:bframes=3:log-level=none'},
    ),
    'AV1': ('a.mp4', 'libsvtav1', dict(g='12', preset='12')),
    'turned': ('a.mp4', 'libx264', dict(g='12', bf='2')),
    'cut': ('a.mp4', 'libx264', dict(g='12', bf='2')),
    'changing size': ('a.ts', 'libx264', dict(g='12', bf='2')),
    'VP8': ('a.webm', 'libvpx', dict(g='12', deadline='realtime')),
    'VP9': ('b.webm', 'libvpx-vp9', dict(g='12', deadline='realtime')),
    'live': ('a.mkv', 'libx264', dict(g='12', bf='2')),
    'GIF': ('a.gif', 'gif', {}),
    'varying rate': ('b.mp4', 'libx264', dict(g='12', bf='2')),
}
SIZES = {'turned': (64, 96)}


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
        width, height = SIZES.get(kind, (96, 64))
        stream.width, stream.height = width, height
        stream.pix_fmt = 'rgb8' if codec == 'gif' else 'yuv420p'
        for i in range(COUNT):
            # a player turns it clockwise
            image = np.rot90(picture(i), kind == 'turned')
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image))
            frame.pts = i + (i // 5 if kind == 'varying rate' else 0)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    if kind == 'turned':
        turn(path)
    if kind == 'cut':
        cut(path)
    if kind == 'changing size':
        grow(path)
    return path


def turn(path: Path) -> None:
    """Write a quarter turn into the track header of an MP4."""
    data = bytearray(path.read_bytes())
    at = data.index(b'tkhd') + 44
    one = 1 << 16
    matrix = (0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    data[at : at + 36] = struct.pack('>9i', *matrix)
    path.write_bytes(data)


def cut(path: Path) -> None:
    """Let the edit list of an MP4 begin CUT frames later."""
    data = bytearray(path.read_bytes())
    at = data.index(b'elst') + 12
    length, start = struct.unpack_from('>ii', data, at)
    with av.open(str(path)) as container:
        frame = int(1 / container.streams.video[0].time_base) // 25
    length -= CUT * 1000 // 25  # milliseconds
    struct.pack_into('>ii', data, at, length, start + CUT * frame)
    path.write_bytes(data)


def grow(path: Path) -> None:
    """Append to a transport stream one of twice the size, as it goes on."""
    more = path.with_name('more.ts')
    with av.open(str(more), 'w') as out:
        stream = out.add_stream('libx264', rate=25, options=dict(bf='2'))
        stream.width, stream.height = 192, 128
        stream.pix_fmt = 'yuv420p'
        for i in range(COUNT, COUNT + 20):
            image = picture(i).repeat(2, 0).repeat(2, 1)
            frame = av.VideoFrame.from_ndarray(image)
            frame.pts = i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with path.open('ab') as file:
        file.write(more.read_bytes())


@pytest.mark.parametrize('kind', KINDS)
def test_every_frame_carries_its_number(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind)
    shown = {
        'cut': [*range(CUT, COUNT)],
        'changing size': [*range(COUNT + 20)],
    }.get(kind, [*range(COUNT)])
    with Video(path) as video:
        assert video.num_frames == len(shown) and video.size == (96, 64)
        for numbers in requests(len(shown)):
            images = video.frames(numbers)
            seen = [number(image) for image in images]
            assert seen == [shown[i] for i in numbers]
