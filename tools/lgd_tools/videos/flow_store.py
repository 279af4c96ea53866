"""Write a flow to disk: a folder of jpg pairs, or one packed video.

A writer is a context manager with ``add(q)``; q is the (H, W, 2) uint8 of
``flow_coding.quantise``. Only a ``commit()`` at the end gives the result its
name; until then everything has a hidden name ending in ``.part``.

jpg      ``<clip>/flow_x_00001.jpg``, ``flow_y_00001.jpg``, from 1 on, grey:
         what mmaction2's RawframeDataset and RawFrameDecode read.
video    ``<clip>.mp4``, H.264: flow-x in the upper half, flow-y in the lower
         half of the luma, chroma neutral, marked as full range, so that a
         reader's RGB is the stored number in all three channels. Read with
         VideoDataset, DecordInit, DecordDecode and then UnpackFlow of
         lgd_mmaction.
"""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np

from lgd_tools.videos.part_files import part_name, remove

JPG_NAME = 'flow_{}_{:05d}.jpg'


class JpgWriter:
    """A folder of jpg pairs.

    Args:
        target: The folder.
        quality: jpg quality, 1..100.
    """

    def __init__(self, target: Path, quality: int) -> None:
        self.target, self.part = target, part_name(target)
        self.quality, self.count, self.bytes = quality, 0, 0

    def __enter__(self) -> 'JpgWriter':
        remove(self.part)
        self.part.mkdir(parents=True)
        return self

    def add(self, q: np.ndarray) -> None:
        import cv2

        self.count += 1
        for channel, axis in enumerate('xy'):
            data = cv2.imencode(
                '.jpg',
                np.ascontiguousarray(q[..., channel]),
                [cv2.IMWRITE_JPEG_QUALITY, self.quality],
            )[1].tobytes()
            self.bytes += len(data)
            name = JPG_NAME.format(axis, self.count)
            (self.part / name).write_bytes(data)

    def commit(self) -> None:
        remove(self.target)
        os.replace(self.part, self.target)

    def __exit__(self, *_: object) -> None:
        remove(self.part)


class VideoWriter:
    """One packed video.

    Args:
        target: The file.
        crf: x264 quality, lower is better.
        rate: Frames per second.
        key_frames: At most so many frames between key frames.
    """

    def __init__(
        self, target: Path, crf: int, rate: Fraction, key_frames: int = 16
    ) -> None:
        self.target, self.part = target, part_name(target)
        self.crf, self.rate, self.every = crf, rate, key_frames
        self.stream, self.count, self.bytes = None, 0, 0

    def __enter__(self) -> 'VideoWriter':
        import av

        self.part.parent.mkdir(parents=True, exist_ok=True)
        self.out = av.open(str(self.part), 'w', format='mp4')
        return self

    def _open(self, height: int, width: int) -> None:
        rate = Fraction(self.rate).limit_denominator(1001)
        self.stream = self.out.add_stream('libx264', rate=rate)
        self.stream.width, self.stream.height = width, height
        self.stream.pix_fmt = 'yuvj420p'  # full range: nothing is clipped
        self.stream.codec_context.gop_size = self.every
        self.stream.codec_context.thread_count = 1
        self.stream.options = dict(crf=str(self.crf), preset='medium')

    def add(self, q: np.ndarray) -> None:
        import av

        height, width = q.shape[:2]
        if self.stream is None:
            self._open(2 * height, width)
        chroma = np.full((height, width), 128, np.uint8)
        planes = np.concatenate([q[..., 0], q[..., 1], chroma])
        frame = av.VideoFrame.from_ndarray(planes, format='yuvj420p')
        frame.pts = self.count
        self.count += 1
        self.out.mux(self.stream.encode(frame))

    def commit(self) -> None:
        self.out.mux(self.stream.encode(None))
        self.out.close()
        self.bytes = self.part.stat().st_size
        os.replace(self.part, self.target)

    def __exit__(self, *_: object) -> None:
        self.out.close()
        remove(self.part)
