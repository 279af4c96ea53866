"""Write a flow to disk: a folder of jpg pairs, or one packed video.

A writer is a context manager with ``add(q)`` and ``count``; q is the
(H, W, 2) uint8 of ``flow_coding.quantise``.

jpg      ``<clip>/flow_x_00001.jpg``, ``flow_y_00001.jpg``, from 1 on, grey:
         what mmaction2's RawframeDataset and RawFrameDecode read.
video    ``<clip>.mp4``, H.264: flow-x in the upper half, flow-y in the lower
         half of the luma, chroma neutral, marked as full range, so that a
         reader's RGB is the stored number in all three channels. Read with
         VideoDataset, DecordInit, DecordDecode and then UnpackFlow of
         lgd_mmaction.
"""

import contextlib
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from lgd_tools.video import Encoder

JPG_NAME = 'flow_{}_{:05d}.jpg'


class JpgWriter(contextlib.nullcontext):
    """A folder of jpg pairs.

    Args:
        folder: To write into; made.
        quality: jpg quality, 1..100.
    """

    def __init__(self, folder: Path, quality: int) -> None:
        super().__init__(self)
        self.folder, self.quality, self.count = folder, quality, 0
        folder.mkdir()

    def add(self, q: np.ndarray) -> None:
        self.count += 1
        options = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        for channel, axis in enumerate('xy'):
            picture = np.ascontiguousarray(q[..., channel])
            data = cv2.imencode('.jpg', picture, options)[1].tobytes()
            name = JPG_NAME.format(axis, self.count)
            (self.folder / name).write_bytes(data)


class PackedWriter(Encoder):
    """One packed video.

    Args:
        path: The file.
        crf: x264 quality, lower is better.
        rate: Frames per second.
    """

    def __init__(self, path: Path, crf: int, rate: Fraction) -> None:
        # full range: nothing is clipped
        super().__init__(path, rate, crf, pixels='yuvj420p')

    def add(self, q: np.ndarray) -> None:
        neutral = np.full(q.shape[:2], 128, np.uint8)  # both chroma planes
        super().add(np.concatenate([q[..., 0], q[..., 1], neutral]))
