"""Boxes of many videos, looked up by frame, in a few flat arrays."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class FrameBoxes:
    """M boxes in order of their frames.

    Frames of all videos are numbered through, so that a frame is one number
    and its boxes one slice. Flat arrays are shared by the worker processes
    of a loader; lists of objects would be copied by each of them.

    Attributes:
        frame: (M,) int64, ascending, numbered through all videos.
        boxes: (M, 4) float32, x1 y1 x2 y2.
        extra: More arrays of M rows, by name.
    """

    frame: np.ndarray
    boxes: np.ndarray
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)

    def rows(self, frame: int) -> slice:
        """The rows of one frame."""
        first, last = np.searchsorted(self.frame, [frame, frame + 1])
        return slice(int(first), int(last))

    @classmethod
    def sorted(
        cls,
        frame: np.ndarray,
        boxes: np.ndarray,
        order: np.ndarray | None = None,
        **extra: np.ndarray,
    ) -> 'FrameBoxes':
        """From rows in any order.

        Args:
            frame: (M,) frames, numbered through all videos.
            boxes: (M, 4) boxes.
            order: (M,) what orders the boxes of one frame; without it they
                stay as they come.
            extra: More arrays of M rows.
        """
        keys = (frame,) if order is None else (order, frame)
        index = np.lexsort(keys)
        return cls(
            np.asarray(frame, np.int64)[index],
            np.asarray(boxes, np.float32).reshape(-1, 4)[index],
            {name: array[index] for name, array in extra.items()},
        )
