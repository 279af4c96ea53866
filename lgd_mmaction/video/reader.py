"""The frames of a video file, by number."""

import os
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import av
import numpy as np
from av.stream import Discard
from av.video.reformatter import VideoReformatter

from lgd_mmaction.video.errors import BrokenVideoError
from lgd_mmaction.video.files import find_file
from lgd_mmaction.video.index import (
    Index,
    from_container,
    from_packets,
    load_index,
    save_index,
)

# another folder for the cache of indices; empty: none
INDEX_CACHE_ENV = 'LGD_VIDEO_INDEX'
# what is opened; no playlists or scripts, which lead to other files
CONTAINERS = (
    'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif,'
    'mxf,nut,rm,dv,ivf,h264,hevc,m4v,mpegvideo,yuv4mpegpipe,swf,wtv'
)
# Leaving out the frames that nothing refers to was seen to change no other
# frame of these codecs. HEVC and VP9 mean something weaker by these words.
SKIPS = {'h264', 'mpeg4'}
# so many frames are decoded in less time than a seek takes
SEEK_COST = 6
Size = tuple[int, int]


class Video:
    """A video file, read in this process with FFmpeg (PyAV).

    Frame i is the i-th frame of a sequential decode of the default video
    stream (the one that FFmpeg holds for the best), the edit list honoured
    and the rotation applied, whatever the codec or the container, and
    however it is reached: by a seek, checked by the time stamps of what came
    back, or from the start where these cannot tell (GIF, AVI with B-frames,
    VP8, single fields). Pictures of another size than the stream began with
    are scaled to it.

    Args:
        path: The file. A name without extension may be that of an mp4, as
            for ``DecordInit``.
        threads: Decoding threads.
        memory_limit: Most bytes that the frames of one call may take.
        index_cache: Folder that keeps what only reading a whole file tells,
            for containers other than MP4. The environment variable
            LGD_VIDEO_INDEX goes before it; empty, it switches this off.

    Attributes:
        num_frames: Number of frames.
        fps: Mean frames a second; 0 if the container does not tell.

    Raises:
        BrokenVideoError: It cannot be read, noticed here or in ``frames``;
            the reason is told.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        threads: int = 1,
        memory_limit: int = 4 << 30,
        index_cache: str | os.PathLike | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self.threads = threads
        self.memory_limit = memory_limit
        self._container = None
        self._turn: int | None = None  # quarters, counterclockwise
        self._reformat = VideoReformatter().reformat
        self._file = find_file(self.path)
        cache = os.environ.get(INDEX_CACHE_ENV, index_cache)
        try:
            with self._explained():
                self._open()
                self._index = self._find_index(cache)
            if not self._index.total:
                raise BrokenVideoError(self.path, 'it holds no frame')
        except BaseException:
            self.close()
            raise
        self.num_frames = self._index.total
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate or 0)

    def __len__(self) -> int:
        return self.num_frames

    def __enter__(self) -> 'Video':
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._container is not None:
            self._container.close()
        self._container = self._stream = self._codec = None

    @property
    def size(self) -> Size:
        """Width and height in pixels as shown, the rotation applied."""
        if self._turn is None:
            for _ in self._pick([0]):
                pass
        width, height = self._coded
        return (height, width) if self._turn % 2 else (width, height)

    def frames(
        self,
        indices: Iterable[int],
        size: Size | Callable[[int, int], Size] | None = None,
    ) -> np.ndarray:
        """Frames by number, in any order, repeated ones too.

        Args:
            indices: Frame numbers, 0 to ``num_frames - 1``.
            size: Scale to this width and height, in one pass with the
                conversion of colours; or a function that makes them of the
                width and height as shown. None: as they are.

        Returns:
            (K, H, W, 3) uint8, RGB.
        """
        places: dict[int, list[int]] = {}
        count = 0
        for count, i in enumerate(indices, 1):
            if not 0 <= i < self.num_frames:
                raise IndexError(
                    f'{self.path} has frames 0 to {self.num_frames - 1}, '
                    f'not {i}'
                )
            places.setdefault(int(i), []).append(count - 1)
        out = np.empty((0, 0, 0, 3), np.uint8)
        for number, frame in self._pick(sorted(places)):
            if not len(out):
                shape = size(*self.size) if callable(size) else size
                width, height = shape or self.size
                check_memory(
                    self.path, width, height, count, self.memory_limit
                )
                out = np.empty((count, height, width, 3), np.uint8)
            coded = (height, width) if self._turn % 2 else (width, height)
            rgb = self._reformat(frame, *coded, 'rgb24', threads=1)
            first, *others = places[number]
            out[first] = np.rot90(rgb.to_ndarray(), self._turn)
            out[others] = out[first]
        return out

    def _open(self) -> None:
        self.close()
        self._container, self._stream = open_stream(self._file, self.path)
        self._codec = self._stream.codec_context
        if self._codec is None:
            raise BrokenVideoError(
                self.path, 'its codec is unknown to FFmpeg, or damaged'
            )
        self._codec.thread_count = self.threads
        self._codec.thread_type = 'AUTO' if self.threads > 1 else 'NONE'
        # before anything is decoded: it may change within the stream
        self._coded = self._codec.width, self._codec.height
        check_memory(self.path, *self._coded, 1, self.memory_limit)

    def _find_index(self, cache: str | os.PathLike | None) -> Index:
        index = from_container(self._container, self._stream)
        if index is None and cache:
            index = load_index(cache, self._file)
        if index is not None:
            return index
        self._open()
        index = from_packets(self._container, self._stream)
        if index is None:  # only a whole decode tells
            index = Index(sum(1 for _ in self._decode_all()))
        if cache:
            save_index(cache, self._file, index)
        return index

    def _decode_all(self) -> Iterator[av.VideoFrame]:
        """The frames of a sequential decode."""
        self._open()
        for packet in all_packets(self._container, self._stream):
            yield from packet.decode()

    def _pick(self, numbers: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Numbers and pictures of frames, in order."""
        rest = deque(numbers)
        read = self._seek if self._index.stamps else self._decode_on
        with self._explained():
            for number, frame in read(rest):
                self._turn = round(frame.rotation / 90) % 4
                yield number, frame
        if rest:
            raise BrokenVideoError(
                self.path,
                f'frame {rest[0]} of {self.num_frames} cannot be decoded: '
                'damaged or cut short',
            )

    def _decode_on(self, rest: deque) -> Iterator[tuple[int, av.VideoFrame]]:
        """By decoding all of the file, until its end or the last one."""
        for number, frame in enumerate(self._decode_all() if rest else ()):
            if number == rest[0]:
                yield rest.popleft(), frame
                if not rest:
                    return

    def _seek(self, rest: deque) -> Iterator[tuple[int, av.VideoFrame]]:
        """By seeks, until one cannot be decoded or the last one."""
        while rest:
            wanted = rest[0]
            key = self._index.key_before(wanted)
            # where a frame refers to what is before the key frame, as in an
            # open GOP, the key frame before that one will do
            for start in dict.fromkeys((key, max(key - 1, 0), 0)):
                try:
                    yield from self._read_from(start, rest)
                except av.FFmpegError:
                    if start == 0:
                        raise
                if not rest or rest[0] != wanted:
                    break
            else:
                return

    def _read_from(
        self, start: int, rest: deque
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """Frames from a key frame on, until a seek gets further sooner."""
        unsent = self._group(rest)
        self._go_to(start)
        codec = self._codec
        skips = codec.name in SKIPS
        numbers: dict[int, int] = {}
        for packet, number in self._packets(rest[0]):
            if number is not None:
                numbers[packet.pts] = number
            keep = number in unsent
            unsent.discard(number)
            skip = 'NONREF' if skips and not keep else 'DEFAULT'
            if codec.skip_frame != skip:
                codec.skip_frame = skip
            # at the end also what the decoder still holds
            pictures = packet.decode()
            if not unsent:
                pictures += codec.decode(None)
            for frame in pictures:
                number = numbers.get(frame.pts)
                if rest and number == rest[0] and not frame.is_corrupt:
                    yield rest.popleft(), frame
            if not unsent:
                return

    def _go_to(self, start: int) -> None:
        index = self._index
        # a seek to the start of a stream without index may miss it
        if not start and index.ranked:
            self._open()
            return
        at = index.keys[start]
        if not index.ranked:
            # FFmpeg compares with when the key frame is shown, and the index
            # of an MP4 has only when it is decoded, which may be earlier:
            # ask for the last packet that needs this key frame
            ends = [*index.keys, len(index.stamps)]
            at = ends[start + 1] - 1
        self._container.seek(index.stamps[at], stream=self._stream)

    def _group(self, rest: deque) -> set[int]:
        """What is read by decoding on."""
        index, last = self._index, rest[0]
        for number in rest:
            key = index.keys[index.key_before(number)]
            if index.before[key] > last + SEEK_COST:
                break
            last = number
        return {number for number in rest if number <= last}

    def _packets(self, first: int) -> Iterator[tuple[av.Packet, int | None]]:
        """Packets from a key frame on, with the numbers of their frames.

        Ends at once where the key frame is behind the frame wanted first.
        """
        index, before = self._index, None
        # sorted times of showing, of the whole stream or of what was read
        times = index.ranked or []

        def numbered(packet: av.Packet) -> tuple[av.Packet, int | None]:
            place = bisect_left(times, packet.pts)
            if packet.is_discard or times[place : place + 1] != [packet.pts]:
                return packet, None
            return packet, place if index.ranked else before + place

        waiting: deque = deque()  # for packets that are shown earlier
        for packet in self._container.demux(self._stream):
            if not packet.size:
                continue
            if packet.pts is None:
                return  # its frame could not be told
            if before is None:
                at = packet.pts if index.ranked else packet.dts
                at = index.key_at.get(at) if packet.is_keyframe else None
                if at is None:
                    continue
                before = index.before[at]
                if before > first:
                    return
            if index.ranked:
                yield numbered(packet)
                continue
            if not packet.is_discard:
                place = bisect_left(times, packet.pts)
                if times[place : place + 1] == [packet.pts]:
                    return  # two frames of one time
                times.insert(place, packet.pts)
            waiting.append(packet)
            while waiting and waiting[0].pts <= packet.dts:
                yield numbered(waiting.popleft())
        yield from map(numbered, waiting)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise what FFmpeg says as a broken video."""
        try:
            yield
        except BrokenVideoError:  # a ValueError too
            raise
        except (av.FFmpegError, MemoryError, ValueError) as error:
            reason = ' '.join(str(error).split())[:200]
            raise BrokenVideoError(
                self.path,
                f'FFmpeg cannot read it: damaged, cut short, or no video '
                f'({reason})',
            ) from None


def check_memory(
    path: str, width: int, height: int, count: int, limit: int
) -> None:
    """Raise BrokenVideoError if frames take more bytes than the limit."""
    if 3 * width * height * count > limit:
        raise BrokenVideoError(
            path,
            f'{count} frames of {width} x {height} pixels need more memory '
            'than memory_limit',
        )


def open_stream(file: str, name: str) -> tuple:
    """Container and default video stream of a file; ``name`` is for errors."""
    options = {'format_whitelist': CONTAINERS}
    container = av.open(f'file:{file}', options=options)
    stream = container.streams.best('video')
    if stream is None:
        container.close()
        raise BrokenVideoError(name, 'it has no video stream')
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    return container, stream


def all_packets(container, stream) -> Iterator[av.Packet]:
    """The packets of a sequential decode; the last one ends it."""
    for packet in container.demux(stream):
        # in AVI a packet without bytes says 'as before'; to the decoder it
        # would be the end
        if packet.size or packet.pts is None and packet.dts is None:
            yield packet
