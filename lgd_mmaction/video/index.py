"""Which packets of a video hold which frames."""

import os
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from itertools import accumulate, islice
from pathlib import Path

import av
import numpy as np

from lgd_mmaction.files import write_bytes

# One packet, one frame, and nothing before a key frame is needed behind it.
# Not VP8 (hidden frames are packets of their own), not GIF (no key frames).
SEEKABLE = {
    'ffv1', 'h264', 'hevc', 'libdav1d', 'mjpeg', 'mpeg1video', 'mpeg2video',
    'mpeg4', 'rawvideo', 'vp9',
}  # fmt: skip
# those of which a frame may come as two packets, the two fields
FIELDS = {'h264', 'mpeg1video', 'mpeg2video'}
# an MPEG-4 packet this small says 'as before', and yields no frame
NO_FRAME_BYTES = 16
# packets at the start that are looked at for frames before the key frame
PEEK = 20
DISCARD, KEY = 2, 1


@dataclass
class Index:
    """The frames of a video stream, in the order of its packets."""

    total: int  # number of frames
    # of each packet the time that tells it from the others: that of decoding
    # if `ranked` is empty, else that of showing; empty: only a decode from
    # the start tells which frame is which
    stamps: list[int] = field(default_factory=list)
    # of each packet, KEY and DISCARD (decoded, not shown)
    flags: list[int] = field(default_factory=list)
    # sorted times of showing, if known
    ranked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        shown = [not flag & DISCARD for flag in self.flags]
        self.before = [0, *accumulate(shown)]
        self.keys = [i for i, flag in enumerate(self.flags) if flag & KEY]
        self.key_at = {self.stamps[i]: i for i in self.keys}

    def key_before(self, frame: int) -> int:
        """The number, among the key frames, of the last one at or before
        the packet that stands where this frame would in order."""
        packet = bisect_right(self.before, frame) - 1
        return max(bisect_right(self.keys, packet) - 1, 0)


def from_container(container, stream) -> Index | None:
    """The index of an MP4 file as just opened; None if not to be trusted."""
    if 'mp4' not in container.format.name or not _seekable(stream):
        return None
    entries = list(stream.index_entries)
    # another number: in fragments, or put together by an edit list
    if not entries or len(entries) != stream.frames:
        return None
    stamps = [entry.timestamp for entry in entries]
    flags = [entry.flags & 3 for entry in entries]
    rising = stamps == sorted(set(stamps))
    if not rising or not flags[0] & KEY:
        return None
    first = list(islice(container.demux(stream), PEEK))
    if _starts_late([p for p in first if p.size]):
        return None
    return Index(sum(not f & DISCARD for f in flags), stamps, flags)


def from_packets(container, stream) -> Index | None:
    """The index by reading all packets; None where they do not tell."""
    if not _seekable(stream):
        return None
    packets = [p for p in container.demux(stream) if p.size]
    if any(p.pts is None for p in packets) or _starts_late(packets):
        return None
    # AVI holds no times of showing: what FFmpeg makes up is wrong where the
    # encoder packed two frames into one packet
    if container.format.name == 'avi' and any(
        p.pts != p.dts or p.size < NO_FRAME_BYTES for p in packets
    ):
        return None
    stamps = [p.pts for p in packets]
    flags = [p.is_keyframe * KEY + p.is_discard * DISCARD for p in packets]
    return _index(stamps, flags)


def _index(stamps: list[int], flags: list[int]) -> Index | None:
    shown = zip(stamps, flags, strict=True)
    ranked = sorted(stamp for stamp, flag in shown if not flag & DISCARD)
    index = Index(len(ranked), stamps, flags, ranked)
    doubled = len(set(ranked)) < len(ranked)
    if doubled or len(index.key_at) < len(index.keys) or not index.keys:
        return None
    return index


def _seekable(stream) -> bool:
    codec = stream.codec_context
    if codec.name not in FIELDS:
        return codec.name in SEEKABLE
    if hasattr(codec, 'field_order'):
        return int(codec.field_order) <= 1  # 0 unknown, 1 progressive
    # PyAV 17, the last for Python 3.10, tells it of frames alone
    with suppress(av.FFmpegError), av.open(stream.container.name) as again:
        for frame in again.decode(streams=stream.index):
            return not frame.interlaced_frame
    return False


def _starts_late(packets: list) -> bool:
    """Whether frames would be shown before the first key frame.

    They refer to what is not in the file; which of them come out is up to
    the decoder.
    """
    if not packets or not packets[0].is_keyframe:
        return True
    start = packets[0]
    if start.is_discard:
        return False
    return any(p.pts is None or p.pts < start.pts for p in packets)


def _cached(folder: str | os.PathLike, path: str) -> Path:
    """Where the index of a file is kept: one small file a video."""
    name = sha256(os.fsencode(os.path.abspath(path))).hexdigest()
    return Path(folder, name[:2], f'{name[2:34]}.npy')


def load_index(folder: str | os.PathLike, path: str) -> Index | None:
    """The index kept of a file; None if it is not there or has changed."""
    try:
        status = os.stat(path)
        (size, time, total), *rows = np.load(_cached(folder, path)).tolist()
    except (OSError, ValueError, EOFError):
        return None
    if (size, time) != (status.st_size, status.st_mtime_ns):
        return None
    stamps, flags = [row[0] for row in rows], [row[1] for row in rows]
    return _index(stamps, flags) if rows else Index(total)


def save_index(folder: str | os.PathLike, path: str, index: Index) -> None:
    """Keep an index; a folder that cannot be written is no error."""
    status = os.stat(path)
    head = [status.st_size, status.st_mtime_ns, index.total]
    rows = zip(index.stamps, index.flags, strict=True)
    table = np.array([head, *((*row, 0) for row in rows)], dtype=np.int64)
    content = BytesIO()
    np.save(content, table)
    with suppress(OSError):
        write_bytes(_cached(folder, path), content.getvalue())
