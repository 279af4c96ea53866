"""Which boxes of later frames a box may be linked with.

All classes of a video share its boxes, so their overlaps are found once;
only pairs that overlap enough are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lgd_mmaction.detection.boxes import box_iou
from lgd_mmaction.detection.detection_set import DetectionSet
from lgd_mmaction.detection.suppression import CHUNK


@dataclass
class LinkGraph:
    """Pairs of boxes, the second one 1 + g tested frames after the first.

    Attributes:
        row: (R,) row of the detections of each box of the graph.
        base: (V,) first box of each video, counted in the graph.
        begin, end: (gaps, R) the edges of each box, for each gap g.
        target: (E,) box that an edge leads to, counted in the graph.
        overlap: (E,) float64, overlap of the two.
    """

    row: np.ndarray
    base: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    target: np.ndarray
    overlap: np.ndarray


def build_graph(
    data: DetectionSet,
    videos: Sequence[int],
    min_iou: float,
    max_gap: int,
    pixel_offset: float = 0.0,
) -> LinkGraph:
    """The pairs of boxes of some videos that overlap by at least min_iou."""
    firsts = data.offset[data.video_offset[videos]]
    lasts = data.offset[data.video_offset[np.asarray(videos) + 1]]
    sizes = lasts - firsts
    base = np.cumsum(sizes) - sizes
    total = int(sizes.sum())
    row = np.arange(total) + np.repeat(firsts - base, sizes)
    counts = np.zeros((max_gap + 1, total), np.int64)
    edges: list[list[tuple[np.ndarray, np.ndarray]]] = []
    for gap in range(max_gap + 1):
        own = []
        for v, start in zip(videos, base.tolist(), strict=True):
            for source, target, overlap in _video_pairs(
                data, v, gap + 1, min_iou, pixel_offset
            ):
                first = int(data.offset[data.video_offset[v]])
                np.add.at(counts[gap], source - first + start, 1)
                own.append((target - first + start, overlap))
        edges.append(own)
    parts = [part for own in edges for part in own]
    target = [p[0] for p in parts] or [np.empty(0, np.int64)]
    overlap = [p[1] for p in parts] or [np.empty(0)]
    ends = np.cumsum(counts.ravel()).reshape(counts.shape)
    return LinkGraph(
        row,
        base,
        ends - counts,
        ends,
        np.concatenate(target),
        np.concatenate(overlap),
    )


def _video_pairs(
    data: DetectionSet,
    video: int,
    distance: int,
    min_iou: float,
    pixel_offset: float,
):
    """Yields (row, row `distance` frames later, overlap), by first row."""
    first, last = data.video_offset[video], data.video_offset[video + 1]
    counts = np.diff(data.offset[first : last + 1])
    width = int(counts.max(initial=0))
    if not width:
        return
    step = max(1, CHUNK // width**2)
    for begin in range(first, last - distance, step):
        frames = np.arange(begin, min(begin + step, last - distance))
        rows, there = [], []
        for at in (frames, frames + distance):
            index = data.offset[at][:, None] + np.arange(width)
            there.append(index < data.offset[at + 1][:, None])
            rows.append(np.where(there[-1], index, 0))
        overlap = box_iou(
            data.boxes[rows[0]][:, :, None],
            data.boxes[rows[1]][:, None],
            pixel_offset,
        )
        close = overlap >= min_iou
        close &= there[0][:, :, None] & there[1][:, None]
        f, i, j = np.nonzero(close)
        yield rows[0][f, i], rows[1][f, j], overlap[f, i, j]
