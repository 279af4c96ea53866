"""A camera, window by window."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np

from lgd_tools.cli import ToolError


class Frames:
    """Frames in memory, as an open video has them."""

    def __init__(self, frames: Iterable[np.ndarray]) -> None:
        self._frames = list(frames)
        self.num_frames = len(self._frames)
        self.size = self._frames[0].shape[1::-1]

    def frames(self, indices: Iterable[int], size: Any = None) -> np.ndarray:
        """(K, H, W, 3) uint8 RGB, scaled where a size is asked for."""
        wanted = size(*self.size) if callable(size) else size or self.size
        smaller = wanted[0] < self.size[0]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        frames = (self._frames[i] for i in indices)
        return np.stack(
            [cv2.resize(f, wanted, None, 0, 0, how) for f in frames]
        )

    def close(self) -> None:
        pass


def watch(
    device: int, seconds: float, stride: float, limit: float | None = None
) -> Iterator[tuple[float, float, Frames, float]]:
    """The last seconds of a camera, one window every ``stride`` seconds.

    Yields:
        Start and end in seconds since the first frame, the frames, and the
        rate at which they came. Ends after ``limit`` seconds; None: never.
    """
    camera = cv2.VideoCapture(device)
    try:
        if not camera.isOpened():
            raise ToolError(
                f'camera {device} cannot be opened: check that it is '
                'connected and that no other program uses it'
            )
        kept: deque[tuple[float, np.ndarray]] = deque()
        begin, due = time.monotonic(), seconds
        while True:
            there, picture = camera.read()
            now = time.monotonic() - begin
            if not there or limit is not None and now > limit:
                return
            kept.append((now, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)))
            while kept[-1][0] - kept[0][0] > seconds:
                kept.popleft()
            if now >= due:
                start = kept[0][0]
                rate = (len(kept) - 1) / max(now - start, 1e-6)
                yield start, now, Frames(f for _, f in kept), rate
                # a slow network leaves windows out
                due = max(due + stride, time.monotonic() - begin)
    finally:
        camera.release()
