"""Decode a whole video with PyAV: upright, scaled, and checked for gaps.

Shared by ``resize_videos.py`` and ``extract_flow.py``. Frames come out as a
player shows them: rotation metadata (phones) is applied, as decord does at
training time. FFmpeg hides much damage, so the decoded frames are compared
with what the container promised; see :meth:`VideoFile.damage`.
"""

import os
from collections.abc import Iterator
from fractions import Fraction

import av
import av.filter

from lgd_tools.jobs import JobError

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
    upscale: bool = False,
) -> tuple[int, int]:
    """Even (width, height) in pixels that a video is scaled to.

    Args:
        width: Upright width of the source.
        height: Upright height of the source.
        short_side: Wanted shorter side; the ratio is kept. None: the size
            of the source.
        exact: Wanted (width, height), ratio not kept; wins over the rest.
        upscale: Also enlarge; otherwise a small source keeps its size.
    """
    if exact:
        return exact
    short = min(width, height)
    scale = 1.0
    if short_side and (short_side < short or upscale):
        scale = short_side / short

    def even(side: int) -> int:  # 4:2:0 chroma needs even sides
        return max(2, 2 * round(side * scale / 2))

    return even(width), even(height)


def _describe(error: Exception) -> str:
    text = getattr(error, 'strerror', None) or str(error)
    return ' '.join(str(text).split())[:200]


class VideoFile:
    """The first video stream of a file.

    Args:
        path: The file.
        allow_damaged: Keep what decodes instead of raising.

    Raises:
        JobError: The file cannot be opened or holds no picture.
    """

    def __init__(
        self, path: str | os.PathLike, allow_damaged: bool = False
    ) -> None:
        self.allow_damaged = allow_damaged
        if os.path.getsize(path) == 0:
            raise JobError('the file is empty (zero bytes)')
        try:
            self.container = av.open(os.fspath(path))
        except (av.FFmpegError, ValueError) as error:
            raise JobError(f'not a video: {_describe(error)}') from error
        if not self.container.streams.video:
            self.container.close()
            raise JobError('the file holds no video stream')
        self.stream = self.container.streams.video[0]
        self.stream.codec_context.thread_count = 1
        self.decoded = self.corrupt = self.discarded = 0
        self.end = 0.0  # presentation time of the last frame, seconds
        self.error = ''

    def __enter__(self) -> 'VideoFile':
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    @property
    def rate(self) -> Fraction:
        """Mean frames per second; 25 where the container does not say."""
        return self.stream.average_rate or Fraction(25)

    def _raw(self) -> Iterator[av.VideoFrame]:
        try:
            for packet in self.container.demux(self.stream):
                # cut by an edit list: never shown, so not missing
                self.discarded += bool(packet.size and packet.is_discard)
                for frame in packet.decode():
                    self.decoded += 1
                    self.corrupt += bool(frame.is_corrupt)
                    if frame.time is not None:
                        self.end = max(self.end, float(frame.time))
                    yield frame
        except (av.FFmpegError, ValueError) as error:
            self.error = _describe(error)
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
        upscale: bool = False,
    ) -> Iterator[av.VideoFrame]:
        """Every frame, upright, scaled by :func:`fit_size`.

        All frames have the size that follows from the first one, also where
        the source changes its size in between.

        Args:
            pixels: FFmpeg pixel format of the result, e.g. ``'yuv420p'``.
            short_side: See :func:`fit_size`; so are exact and upscale.

        Raises:
            JobError: The video is damaged (after the last good frame).
        """
        shape, size, graph = None, None, None
        for frame in self._raw():
            now = (frame.width, frame.height, frame.format.name)
            if now != shape:
                shape = now
                # counter-clockwise degrees -> clockwise quarter turns
                turns = round(-frame.rotation / 90) % 4
                if size is None:
                    sides = (frame.width, frame.height)
                    sides = sides[::-1] if turns % 2 else sides
                    size = fit_size(*sides, short_side, exact, upscale)
                graph = self._graph(frame, turns, size, pixels)
            if frame.pts is None:  # some AVI: the graph wants a number
                frame.pts = self.decoded
            graph.vpush(frame)
            yield graph.vpull()

    def _graph(
        self,
        frame: av.VideoFrame,
        turns: int,
        size: tuple[int, int],
        pixels: str,
    ) -> av.filter.Graph:
        graph = av.filter.Graph()
        nodes = [
            graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base or self.stream.time_base,
            )
        ]
        nodes += [graph.add(*step) for step in _TURNS[turns]]
        # full-range sources (many phones, motion jpeg) are converted
        full = 'j' in frame.format.name or frame.color_range == 2
        scale = f'{size[0]}:{size[1]}:flags=bicubic'
        scale += ':in_range=pc' if full else ''
        scale += ':out_range=tv' if pixels == 'yuv420p' else ''
        nodes.append(graph.add('scale', scale))
        nodes.append(graph.add('format', f'pix_fmts={pixels}'))
        nodes.append(graph.add('buffersink'))
        graph.link_nodes(*nodes).configure()
        return graph
