"""Videos that readers stumble over, made from real and generated clips.

`build` writes them into a folder and says what may come out of each:

    good    the right frames
    bad     BrokenVideoError
    either  one of the two; frames must be those of the whole clip
    any     one of the two; damage within the pictures cannot be noticed

Nothing may crash, hang or leak.
"""

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

GOOD, BAD, EITHER, ANY = 'good', 'bad', 'either', 'any'
FRAMES, HEIGHT, WIDTH = 24, 64, 96


@dataclass
class Case:
    """A file, and what may come of it.

    Attributes:
        name: What is odd about it.
        path: The file.
        expect: GOOD, BAD, EITHER or ANY.
        whole: For EITHER, the clip that it is a part of; for GOOD None.
    """

    name: str
    path: Path
    expect: str
    whole: Path | None = None


def picture(i: int, height: int, width: int) -> np.ndarray:
    """Frame i of the generated clips: smooth, each one different."""
    y, x = np.mgrid[:height, :width]
    planes = [2 * x + 9 * i, 3 * y + 5 * i, x + y + 12 * i]
    wave = np.abs(np.stack(planes, -1) % 510 - 255)
    return wave.astype(np.uint8)


def write(
    path: Path,
    frames: int = FRAMES,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    codec: str = 'libx264',
    pix_fmt: str = 'yuv420p',
    options: dict | None = None,
    container: dict | None = None,
    times: list[int] | None = None,
) -> Path:
    """Encode a clip; times are of the frames, in 1/100 s (default 25 fps)."""
    times = times or [4 * i for i in range(frames)]
    with av.open(str(path), 'w', options=container or {}) as out:
        stream = out.add_stream(codec, rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = Fraction(1, 100)
        stream.options = options or {}
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(i, *size), 'rgb24')
            frame.pts, frame.time_base = times[i], Fraction(1, 100)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def write_audio(path: Path, codec: str = 'aac') -> Path:
    """One second of a tone."""
    with av.open(str(path), 'w') as out:
        stream = out.add_stream(codec, rate=8000)
        tone = np.sin(np.arange(8192) / 5).astype(np.float32)[None]
        for start in range(0, 8192, 1024):
            part = tone[:, start : start + 1024].copy()
            frame = av.AudioFrame.from_ndarray(part, 'fltp', 'mono')
            frame.sample_rate, frame.pts = 8000, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def base_clips(folder: Path) -> dict[str, Path]:
    """Whole clips, one of each container."""
    folder.mkdir(parents=True, exist_ok=True)
    h264 = dict(options={'g': '8', 'crf': '20'})
    mpeg4 = dict(codec='mpeg4', options={'g': '8'})
    start = {'movflags': 'faststart'}
    return {
        'mp4': write(folder / 'whole.mp4', **h264),
        'faststart': write(folder / 'fast.mp4', container=start, **h264),
        'avi': write(folder / 'whole.avi', **mpeg4),
        'mkv': write(folder / 'whole.mkv', **h264),
    }


def build(folder: Path, real: Path | None = None, seed: int = 0) -> list[Case]:
    """Write the corpus.

    Args:
        folder: Where to; made.
        real: Folder of real clips (part_0.mp4, test.avi ...), if there is
            one.
        seed: Of the flipped bytes.
    """
    clips = base_clips(folder / 'whole')
    if real is not None:
        clips['real_mp4'] = real / 'part_0.mp4'
        clips['real_avi'] = real / 'v_BaseballPitch_g01_c01.avi'
        clips['real_mkv'] = real / 'flipping_a_pancake.mkv'
    cases = [Case(f'whole {k}', path, GOOD) for k, path in clips.items()]
    cases += _truncated(folder, clips)
    cases += _flipped(folder, clips, seed)
    cases += _no_video(folder, clips)
    cases += _odd_files(folder, clips)
    cases += _odd_videos(folder)
    cases += _lying_headers(folder, clips)
    return cases


def _truncated(folder: Path, clips: dict[str, Path]) -> Iterator[Case]:
    for kind, clip in clips.items():
        data = clip.read_bytes()
        for tenth in range(1, 10):
            path = folder / f'cut_{kind}_{tenth}{clip.suffix}'
            path.write_bytes(data[: len(data) * tenth // 10])
            # behind the pictures: without it nothing can be found
            lost = kind in ('mp4', 'real_mp4')
            expect = BAD if lost else EITHER
            yield Case(f'{kind} cut at {tenth}/10', path, expect, clip)


def _flipped(
    folder: Path, clips: dict[str, Path], seed: int
) -> Iterator[Case]:
    rng = random.Random(seed)
    for kind, clip in clips.items():
        for count in (1, 30, 1000):
            data = bytearray(clip.read_bytes())
            for _ in range(count):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path = folder / f'flip_{kind}_{count}{clip.suffix}'
            path.write_bytes(data)
            yield Case(f'{kind} with {count} flipped bits', path, ANY)


def _no_video(folder: Path, clips: dict[str, Path]) -> Iterator[Case]:
    def file(name: str, data: bytes) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    fast = clips['faststart'].read_bytes()
    avi = clips['avi'].read_bytes()
    yield Case('zero bytes', file('empty.mp4', b''), BAD)
    yield Case('one byte', file('byte.mp4', b'\0'), BAD)
    header = fast[: fast.index(b'mdat') + 4]
    yield Case('header only, mp4', file('header.mp4', header), BAD)
    header = avi[: avi.index(b'movi') + 4]
    yield Case('header only, avi', file('header.avi', header), BAD)
    yield Case('text', file('text.mp4', b'no video\n' * 100), BAD)
    noise = random.Random(1).randbytes(20000)
    yield Case('noise', file('noise.mp4', noise), BAD)
    yield Case('audio only', write_audio(folder / 'audio.mp4'), BAD)
    # lists of other files: nothing else may be read
    clip = clips['mp4'].resolve()
    text = f"ffconcat version 1.0\nfile '{clip}'\n"
    yield Case('list of files', file('list.mp4', text.encode()), BAD)
    text = f'#EXTM3U\n#EXTINF:1,\nfile://{clip}\n#EXT-X-ENDLIST\n'
    yield Case('playlist', file('play.mp4', text.encode()), BAD)


def _odd_files(folder: Path, clips: dict[str, Path]) -> Iterator[Case]:
    (folder / 'folder.mp4').mkdir(exist_ok=True)
    yield Case('a directory', folder / 'folder.mp4', BAD)
    yield Case('missing', folder / 'missing.mp4', BAD)
    yield Case('missing, no extension', folder / 'missing', BAD)

    def link(name: str, target: str | Path) -> Path:
        path = folder / name
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        return path

    yield Case('dangling link', link('dangling.mp4', 'nowhere.mp4'), BAD)
    yield Case('link to itself', link('loop.mp4', 'loop.mp4'), BAD)
    yield Case('good link', link('link.mp4', clips['mp4'].resolve()), GOOD)
    yield Case('/dev/zero', link('zero.mp4', '/dev/zero'), BAD)
    pipe = folder / 'pipe.mp4'
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    yield Case('a pipe that nobody writes', pipe, BAD)
    closed = folder / 'closed.mp4'
    closed.unlink(missing_ok=True)
    closed.write_bytes(clips['mp4'].read_bytes())
    closed.chmod(0)
    # permissions do not bind the superuser
    expect = GOOD if os.access(closed, os.R_OK) else BAD
    yield Case('no permission', closed, expect)
    sparse = folder / 'sparse.mp4'
    with open(sparse, 'wb') as file:
        file.truncate(1 << 40)
    yield Case('a terabyte of nothing', sparse, BAD)
    wrong = folder / 'mp4_called.avi'
    wrong.write_bytes(clips['mp4'].read_bytes())
    yield Case('wrong extension', wrong, GOOD)
    no_ext = folder / 'named.mp4'
    no_ext.write_bytes(clips['mp4'].read_bytes())
    yield Case('no extension', folder / 'named', GOOD)
    odd = folder / 'b\udcff \n{}%s.mp4'
    odd.write_bytes(clips['mp4'].read_bytes())
    yield Case('a name that is no UTF-8', odd, GOOD)


def _odd_videos(folder: Path) -> Iterator[Case]:
    full = dict(pix_fmt='yuv444p', options={'crf': '1'})
    yield Case('one frame', write(folder / 'one.mp4', frames=1), GOOD)
    yield Case('1 x 1', write(folder / 'px.mp4', size=(1, 1), **full), GOOD)
    for h, w in ((2, 2), (16, 16), (31, 33), (48, 48), (72, 72), (49, 65)):
        path = write(folder / f'{h}x{w}.mp4', size=(h, w), **full)
        yield Case(f'{h} x {w}', path, GOOD)
    rng = random.Random(2)
    times = sorted(rng.sample(range(1000), FRAMES))
    path = write(folder / 'vfr.mp4', times=times)
    yield Case('variable frame rate', path, GOOD)
    path = write(folder / 'ten.mp4', pix_fmt='yuv420p10le')
    yield Case('10 bit', path, GOOD)
    yield Case('4:4:4', write(folder / '444.mp4', **full), GOOD)
    path = folder / 'rotated.mp4'
    data = bytearray(write(path).read_bytes())
    # the display matrix of the track header: a quarter turn
    at = data.index(b'tkhd') + 4 + 40
    turn = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    data[at : at + 36] = struct.pack('>9i', *turn)
    path.write_bytes(data)
    yield Case('rotated', path, GOOD)


def _lying_headers(folder: Path, clips: dict[str, Path]) -> Iterator[Case]:
    # raw pictures: nothing but the header tells their size
    path = folder / 'huge.avi'
    raw = dict(codec='rawvideo', pix_fmt='bgr24', frames=4, size=(16, 32))
    data = bytearray(write(path, **raw).read_bytes())
    at = data.index(b'strf') + 8 + 4
    data[at : at + 8] = struct.pack('<2i', 30000, 30000)
    path.write_bytes(data)
    yield Case('30000 x 30000 declared', path, BAD)
    # tables of the sample sizes, times, places: entries that are not there
    for box, skip in ((b'stsz', 12), (b'stts', 8), (b'stco', 8), (b'stsc', 8)):
        data = bytearray(clips['faststart'].read_bytes())
        at = data.index(box) + skip - 0
        data[at : at + 4] = struct.pack('>I', 0x7FFFFFF0)
        path = folder / f'many_{box.decode()}.mp4'
        path.write_bytes(data)
        yield Case(f'2 billion entries in {box.decode()}', path, ANY)
    for box in (b'moov', b'mdat', b'trak', b'avcC'):
        data = bytearray(clips['faststart'].read_bytes())
        at = data.index(box) - 4
        data[at : at + 4] = struct.pack('>I', 0xFFFFFFF0)
        path = folder / f'long_{box.decode()}.mp4'
        path.write_bytes(data)
        yield Case(f'{box.decode()} of 4 GB', path, ANY)
