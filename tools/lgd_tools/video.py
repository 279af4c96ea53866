"""Decode and encode whole videos with PyAV: the tools' one decoder, encoder.

Frames come out as a player shows them: rotation metadata (phones) is
applied, as in training. FFmpeg hides much damage, so the decoded frames are
compared with what the container promised; see :meth:`VideoFile.damage`.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np

from lgd_mmaction.files import atomic_path, write_bytes
from lgd_tools import load
from lgd_tools.cli import ToolError
from lgd_tools.jobs import JobError

reader = load('video.reader')

av.logging.set_level(av.logging.PANIC)

# clockwise quarter turns -> the filters that turn the picture so
_TURNS = {
    0: [],
    1: [('transpose', 'clock')],
    2: [('hflip', None), ('vflip', None)],
    3: [('transpose', 'cclock')],
}


def fit_size(
    width: int,
    height: int,
    short_side: int | None = None,
    exact: tuple[int, int] | None = None,
) -> tuple[int, int]:
    """Even (width, height) in pixels that an upright video is scaled to.

    With ``short_side`` the ratio is kept, and the size where the source is
    smaller; ``exact`` is (width, height), and wins.
    """
    if exact:
        return exact
    short = min(width, height)
    scale = min(short_side or short, short) / short

    def even(side: int) -> int:  # 4:2:0 chroma needs even sides
        return max(2, 2 * round(side * scale / 2))

    return even(width), even(height)


def write_png(path: str | os.PathLike, picture: np.ndarray) -> None:
    """Write an RGB picture, uint8 (H, W, 3), as png, whole or not at all."""
    import cv2

    done, data = cv2.imencode('.png', picture[..., ::-1])
    assert done
    write_bytes(path, data.tobytes())


def one_line(error: Exception) -> str:
    text = getattr(error, 'strerror', '') or str(error)
    return ' '.join(text.split())[:200]


class VideoFile(AbstractContextManager):
    """The default video stream of a file, as training reads it.

    With ``allow_damaged`` what decodes is kept; else, and where nothing
    does, damage is a JobError.
    """

    def __init__(
        self, path: str | os.PathLike, allow_damaged: bool = False
    ) -> None:
        self.allow_damaged = allow_damaged
        name = os.fspath(path)
        try:
            file = reader.find_file(name)
            self.container, self.stream = reader.open_stream(file, name)
        except reader.BrokenVideoError as error:
            raise JobError(error.reason) from None
        except (av.FFmpegError, ValueError) as error:
            raise JobError(f'not a video: {one_line(error)}') from error
        if self.stream.codec_context is None:
            raise JobError('its codec is unknown to FFmpeg, or damaged')
        self._packets = reader.all_packets(self.container, self.stream)
        self.stream.codec_context.thread_count = 1
        self.decoded = self.corrupt = self.discarded = 0
        self.end, self.error = 0.0, ''  # seconds, of the last frame

    def __exit__(self, *_: object) -> None:
        self.container.close()

    @property
    def rate(self) -> Fraction:
        """Mean frames per second; 25 where the container does not say."""
        return self.stream.average_rate or Fraction(25)

    def decode(self) -> Iterator[av.VideoFrame]:
        """Every frame as it is coded; JobError after the last good one."""
        try:
            for packet in self._packets:
                # cut by an edit list: never shown, so not missing
                self.discarded += bool(packet.size and packet.is_discard)
                for frame in packet.decode():
                    self.decoded += 1
                    self.corrupt += bool(frame.is_corrupt)
                    if frame.time is not None:
                        self.end = max(self.end, float(frame.time))
                    yield frame
        except (av.FFmpegError, ValueError) as error:
            self.error = one_line(error)
        problem = self.damage()
        if problem and not (self.allow_damaged and self.decoded):
            raise JobError(problem)

    def damage(self) -> str:
        """What is wrong with the frames decoded so far, or ''."""
        if self.error:
            return f'decoding stops after {self.decoded} frames: {self.error}'
        if not self.decoded:
            return 'the video stream holds no frame'
        if self.corrupt:
            return f'{self.corrupt} of {self.decoded} frames are damaged'
        promised = self.stream.frames - self.discarded
        # one frame more or less is common in AVI headers
        if promised - self.decoded > max(1, 0.02 * promised):
            return f'truncated: {self.decoded} of {promised} promised frames'
        # Matroska and WebM promise no frame count, only a duration
        duration = (self.container.duration or 0) / av.time_base
        start = (self.container.start_time or 0) / av.time_base
        missing = duration - (self.end - start) - 1 / self.rate
        if not self.stream.frames and missing > max(1, 0.2 * duration):
            return (
                f'truncated: the pictures end at {self.end - start:.1f} s '
                f'of {duration:.1f} s'
            )
        return ''

    def frames(
        self,
        pixels: str,
        short_side: int | None = None,
        exact: tuple[int, int] | None = None,
    ) -> Iterator[av.VideoFrame]:
        """Every frame, upright, scaled by :func:`fit_size`.

        All frames have the size that follows from the first one, also where
        the source changes its size in between. ``pixels`` is FFmpeg's pixel
        format of the result, e.g. ``'yuv420p'``.
        """
        shape, size, graph = None, None, None
        for frame in self.decode():
            now = frame.width, frame.height, frame.format.name
            if now != shape:
                shape = now
                # counter-clockwise degrees -> clockwise quarter turns
                turns = round(-frame.rotation / 90) % 4
                if size is None:
                    sides = now[1::-1] if turns % 2 else now[:2]
                    size = fit_size(*sides, short_side, exact)
                graph = self._graph(frame, turns, size, pixels)
            if frame.pts is None:  # some AVI: the graph wants a number
                frame.pts = self.decoded
            graph.vpush(frame)
            yield graph.vpull()

    def _graph(
        self, frame: av.VideoFrame, turns: int, size: tuple, pixels: str
    ) -> av.filter.Graph:
        # full-range sources (many phones, motion jpeg) are converted
        full = 'j' in frame.format.name or frame.color_range == 2
        scale = f'{size[0]}:{size[1]}:flags=bicubic'
        scale += ':in_range=pc' if full else ''
        scale += ':out_range=tv' if pixels == 'yuv420p' else ''
        graph = av.filter.Graph()
        base = frame.time_base or self.stream.time_base
        sides = frame.width, frame.height
        source = graph.add_buffer(None, *sides, frame.format, None, base)
        steps = [('scale', scale), ('format', pixels), ('buffersink', None)]
        nodes = [graph.add(*step) for step in (*_TURNS[turns], *steps)]
        graph.link_nodes(source, *nodes).configure()
        return graph


def probe(path: str | os.PathLike) -> tuple[int, int, int]:
    """Number of frames, width and height: decodes a frame, counts packets.

    Counting packets reads the whole file but decodes nothing, so a file cut
    off in the middle shows fewer frames than its header says.
    """
    with VideoFile(path, allow_damaged=True) as video:
        frame = next(video.decode())
    with VideoFile(path) as video:
        packets = video.container.demux(video.stream)
        count = sum(packet.size > 0 for packet in packets)
    return count, frame.width, frame.height


def count_frames(path: str | os.PathLike) -> int:
    """Frames that decode; JobError at any damage."""
    with VideoFile(path) as video:
        return sum(1 for _ in video.decode())


def check_video_size(size: tuple[int, int]) -> None:
    """Raise ToolError unless H.264 with yuv420p can hold this (h, w).

    Odd sizes are not padded, which would change the pictures, and yuv444p,
    which could hold them, is not read by every decoder.
    """
    height, width = size
    if height < 2 or width < 2 or height % 2 or width % 2:
        raise ToolError(
            f'H.264 video needs an even width and height, not '
            f'{width}x{height}: use {max(2, width + width % 2)}x'
            f'{max(2, height + height % 2)}'
        )


class Encoder(AbstractContextManager):
    """Encode frames one by one: H.264 in mp4, or MPEG-4 in avi.

    Equal frames give equal files on one machine, but for about one of a
    hundred: x264 now and then decides otherwise, even with one thread.

    Args:
        path: Written as it goes; see :func:`lgd_mmaction.files.atomic_path`.
        rate: Frames per second.
        crf: Of H.264, 0 (lossless up to the conversion of colours) to 51.
            MPEG-4 has a fixed, good quality.
        gop: Most frames between key frames.
        pixels: FFmpeg's pixel format; yuvj420p is of full range.
        clock: Time stamps a second, where frames come with their own times;
            None: evenly spaced frames.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        rate: Fraction,
        crf: int,
        preset: str = 'medium',
        gop: int = 16,
        pixels: str = 'yuv420p',
        clock: int | None = None,
        container: str = 'mp4',
    ) -> None:
        self.out = av.open(os.fspath(path), 'w', format=container)
        codec = 'mpeg4' if container == 'avi' else 'libx264'
        # an encoder's rate field is 16 bit in places: keep it small
        rate = Fraction(rate).limit_denominator(1001)
        self.stream = self.out.add_stream(codec, rate=rate)
        self.stream.pix_fmt = pixels
        context = self.stream.codec_context
        context.thread_count, context.gop_size = 1, gop
        if codec == 'mpeg4':
            context.max_b_frames, context.bit_rate = 0, 16_000_000
            context.qmin, context.qmax = 2, 4  # of 31: good pictures
        else:
            self.stream.options = dict(crf=str(crf), preset=preset)
        self.clock, self.count, self.last, self.size = clock, 0, -1, None
        if clock:
            self.stream.time_base = context.time_base = Fraction(1, clock)

    def add(
        self, picture: np.ndarray | av.VideoFrame, time: float = 0.0
    ) -> None:
        """Encode one more frame, of the size of the first.

        It is RGB (H, W, 3) uint8, or planes in the pixel format as PyAV has
        them. With ``clock``, ``time`` is in seconds from the first on.
        """
        if isinstance(picture, np.ndarray):
            kind = 'rgb24' if picture.ndim == 3 else self.stream.pix_fmt
            picture = np.ascontiguousarray(picture)
            picture = av.VideoFrame.from_ndarray(picture, format=kind)
        if self.size is None:
            self.size = picture.width, picture.height
            self.stream.width, self.stream.height = self.size
        if self.clock:
            # two frames may carry one time stamp; the encoder wants order
            self.last = max(round(time * self.clock), self.last + 1)
            picture.pts, picture.time_base = self.last, self.stream.time_base
        else:
            picture.pts = None
        picture.pict_type = 0  # the encoder chooses
        self.out.mux(self.stream.encode(picture))
        self.count += 1

    def __exit__(self, kind: type | None, *_: object) -> None:
        with self.out:  # closes it
            if kind is None and self.count:
                self.out.mux(self.stream.encode(None))


def write_video(
    path: str | os.PathLike,
    frames: Iterable[np.ndarray],
    fps: float | Fraction = 25,
    crf: int = 12,
    gop: int = 16,
) -> Path:
    """Encode frames into an mp4 or avi file, atomically; see :class:`Encoder`.

    Frames are uint8 (H, W, 3), RGB; at least one, H and W even. J-HMDB and
    UCF101 are distributed as avi. Few frames between key frames (``gop``)
    let training seek cheaply.
    """
    path = Path(path)
    container = 'avi' if path.suffix == '.avi' else 'mp4'
    options = dict(preset='veryfast', gop=gop, container=container)
    try:
        with (
            atomic_path(path) as part,
            Encoder(part, Fraction(fps), crf, **options) as encoder,
        ):
            for frame in frames:
                encoder.add(frame)
    except (OSError, av.FFmpegError) as error:
        raise ToolError(
            f'{path} could not be written ({error}): check that the folder '
            'is writable, that the disk is not full, and that PyAV has libx264'
        ) from error
    return path
