"""A flow in 8 bits, on disk: a folder of jpg pairs, or one packed video.

The numbers are those of the two-stream literature (dense_flow, TSN):

    q = round((clip(v, -b, b) + b) * 255 / (2 b)),   b = 20 pixels
    v = q * 2 b / 255 - b

One step is 2 b / 255 = 0.157 pixels, so the error of a flow within the bound
is at most 0.078 pixels. Zero is stored as 128 (127.5, rounded to even) and
read as +0.078. Mirroring a flow-x picture by ``255 - q``, as mmaction2's Flip
does, is the exact negation of v.

jpg      ``<clip>/flow_x_00001.jpg``, ``flow_y_00001.jpg``, from 1 on, grey:
         what mmaction2's RawframeDataset and RawFrameDecode read.
video    ``<clip>.mp4``, H.264: flow-x in the upper half, flow-y in the lower
         half of the luma, chroma neutral, marked as full range, so that a
         reader's RGB is the stored number in all three channels. Read with
         VideoDataset, DecordInit, DecordDecode and then UnpackFlow of
         lgd_mmaction.

A writer is a context manager with ``add(q)``, of (H, W, 2) uint8, and
``count``.
"""

import contextlib
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from lgd_tools.video import Encoder

BOUND = 20.0
JPG_NAME = 'flow_{}_{:05d}.jpg'


def quantise(flow: np.ndarray, bound: float = BOUND) -> np.ndarray:
    """Pixels -> uint8; see the formula above. NaN becomes rest."""
    flow = np.nan_to_num(flow.astype(np.float64), posinf=bound, neginf=-bound)
    clipped = np.clip(flow, -bound, bound)
    return np.rint((clipped + bound) * (255 / (2 * bound))).astype(np.uint8)


class JpgWriter(contextlib.nullcontext):
    """A folder of jpg pairs, made here; quality 1 to 100."""

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
    """One packed video; see :class:`Encoder` for crf and rate."""

    def __init__(self, path: Path, crf: int, rate: Fraction) -> None:
        # full range: nothing is clipped
        super().__init__(path, rate, crf, pixels='yuvj420p')

    def add(self, q: np.ndarray) -> None:
        neutral = np.full(q.shape[:2], 128, np.uint8)  # both chroma planes
        super().add(np.concatenate([q[..., 0], q[..., 1], neutral]))
