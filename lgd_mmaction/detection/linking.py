"""Linking of the boxes of single frames into tubes, class by class.

The online greedy linking that the ACT detector (Kalogeiton et al., ICCV
2017) and Singh et al. (ICCV 2017) made the standard for J-HMDB and
UCF101-24, for boxes of single frames. In every frame, the tubes of a class,
from the highest mean score on, each take a box that overlaps their last one
enough; what is left over begins new tubes. It needs one pass and no
knowledge of the whole video; the Viterbi of Gkioxari and Malik would give
every tube the length of the video, which untrimmed videos do not allow.

All classes of many videos advance together, one frame a step, in flat
arrays of living tubes: a problem is one class in one video. All classes of
a video share its boxes, so which of them overlap is found once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lgd_mmaction.detection.boxes import CHUNK, box_iou, frame_rows, nms
from lgd_mmaction.detection.detection_set import DetectionSet
from lgd_mmaction.detection.tubes import TubeSet, fill_gaps
from lgd_mmaction.errors import ConfigError


@dataclass(frozen=True)
class Linking:
    """Settings of the linking.

    Attributes:
        nms_iou: Class-wise suppression within a frame before; None for
            none. ACT 0.3, MOC 0.6 (soft).
        top_k: Boxes of a frame and class that are linked, the surest ones.
        iou: Overlap that a box needs with the last one of the tube. ACT
            0.2, MOC 0.5, Singh et al. 0.1.
        overlap_weight: A tube takes the box of the highest score +
            overlap_weight * overlap; 0 is ACT's choice, by score alone.
        max_gap: Tested frames that a tube may go without a box; the boxes
            of a gap are interpolated.
        min_length: Shorter tubes (frames) are left out. ACT 15.
        min_score: Tubes of lower mean score are left out. ACT 0.01.
    """

    nms_iou: float | None = None
    top_k: int = 10
    iou: float = 0.2
    overlap_weight: float = 1.0
    max_gap: int = 3
    min_length: int = 1
    min_score: float = 0.0

    def __post_init__(self) -> None:
        for name, right, wanted in (
            (
                'nms_iou',
                self.nms_iou is None or 0 < self.nms_iou <= 1,
                '(0, 1]',
            ),
            ('iou', 0 < self.iou <= 1, '(0, 1]'),
            ('top_k', self.top_k >= 1, '1, 2, ...'),
            ('min_length', self.min_length >= 1, '1, 2, ...'),
            ('max_gap', self.max_gap >= 0, '0, 1, ...'),
            ('overlap_weight', self.overlap_weight >= 0, '0 or more'),
            ('min_score', self.min_score >= 0, '0 or more'),
        ):
            if not right:
                raise ConfigError(
                    f'{name}={getattr(self, name)} of the linking is outside '
                    f'{wanted}'
                )


def link_tubes(
    detections: DetectionSet,
    videos: Sequence[int],
    linking: Linking,
    pixel_offset: float = 0.0,
) -> TubeSet:
    """Link the boxes of some videos into tubes, gaps filled.

    Tubes of equal mean score choose in the order in which they began;
    within one frame, boxes rank by score, then by row. Of boxes of equal
    worth a tube takes the first by rank.

    Args:
        detections: Detections.
        videos: Indices of videos, of about the same number of frames.
        linking: Settings; min_length and min_score are not applied, since
            trimming comes first.
        pixel_offset: As in box_iou.

    Returns:
        The tubes, in the order video, class, first frame, rank there.
    """
    tested = np.diff(detections.video_offset)
    # longest first: the problems of a step are then the first ones
    videos = np.asarray(videos)
    videos = videos[np.argsort(-tested[videos], kind='stable')]
    tested, begins = tested[videos], detections.video_offset[videos]
    classes = detections.scores.shape[1]
    linker = _Linker(detections, videos, linking, pixel_offset)
    for step in range(int(tested.max(initial=0))):
        linker.step(step, int((tested > step).sum()))
    problem, tube, step, row = linker.links()
    owner, label = np.divmod(problem, classes)
    # stable: the steps of a tube in their order
    order = np.lexsort((tube, label, videos[owner]))
    owner, label, row = owner[order], label[order], row[order]
    return fill_gaps(
        tube[order],
        videos[owner],
        label,
        detections.frame[begins[owner] + step[order]],
        detections.boxes[row],
        detections.scores[row, label].astype(np.float64),
    )


class _Graph:
    """Pairs of boxes that overlap, the second 1 + g tested frames later.

    Attributes:
        row: (R,) row of the detections of each box of the graph.
        base: (V,) first box of each video, counted in the graph.
        begin, end: (gaps, R) the edges of each box, for each gap g.
        target: (E,) box that an edge leads to, counted in the graph.
        overlap: (E,) float64, overlap of the two.
    """

    def __init__(
        self,
        detections: DetectionSet,
        videos: np.ndarray,
        min_iou: float,
        max_gap: int,
        pixel_offset: float,
    ) -> None:
        firsts = detections.offset[detections.video_offset[videos]]
        sizes = detections.offset[detections.video_offset[videos + 1]] - firsts
        self.base = np.cumsum(sizes) - sizes
        total = int(sizes.sum())
        self.row = np.arange(total) + np.repeat(firsts - self.base, sizes)
        counts = np.zeros((max_gap + 1, total), np.int64)
        targets, overlaps = [np.empty(0, np.int64)], [np.empty(0)]
        for gap in range(max_gap + 1):
            for v, shift in zip(videos, self.base - firsts, strict=True):
                for source, target, overlap in _video_pairs(
                    detections, v, gap + 1, min_iou, pixel_offset
                ):
                    np.add.at(counts[gap], source + shift, 1)
                    targets.append(target + shift)
                    overlaps.append(overlap)
        self.end = np.cumsum(counts.ravel()).reshape(counts.shape)
        self.begin = self.end - counts
        self.target = np.concatenate(targets)
        self.overlap = np.concatenate(overlaps)


def _video_pairs(
    detections: DetectionSet,
    video: int,
    distance: int,
    min_iou: float,
    pixel_offset: float,
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields (row, row `distance` frames later, overlap), by first row."""
    first, last = detections.video_offset[[video, video + 1]]
    counts = np.diff(detections.offset[first : last + 1])
    step = max(1, CHUNK // max(1, int(counts.max(initial=0))) ** 2)
    for begin in range(first, last - distance, step):
        frames = np.arange(begin, min(begin + step, last - distance))
        row, there = frame_rows(detections, frames)
        later, there_later = frame_rows(detections, frames + distance)
        overlap = box_iou(
            detections.boxes[row][:, :, None],
            detections.boxes[later][:, None],
            pixel_offset,
        )
        close = overlap >= min_iou
        close &= there[:, :, None] & there_later[:, None]
        f, i, j = np.nonzero(close)
        yield row[f, i], later[f, j], overlap[f, i, j]


class _Linker:
    """The living tubes of all problems, as flat arrays.

    Boxes are counted as in the graph; a place is one rank of one problem
    in the current frame.
    """

    def __init__(
        self,
        detections: DetectionSet,
        videos: np.ndarray,
        linking: Linking,
        pixel_offset: float,
    ) -> None:
        self.scores, self.linking = detections.scores, linking
        self.classes = detections.scores.shape[1]
        self.graph = _Graph(
            detections, videos, linking.iou, linking.max_gap, pixel_offset
        )
        # (frames, K, D) boxes of each video by rank, and the rank of each
        self.boxes = []
        self.rank = np.full((len(self.graph.row), self.classes), -1, np.int32)
        for v, base in zip(videos, self.graph.base, strict=True):
            begin, end = detections.video_offset[[v, v + 1]]
            rows = nms(
                detections,
                begin,
                end,
                linking.nms_iou,
                linking.top_k,
                pixel_offset,
            )
            shift = base - detections.offset[begin]
            boxes = np.where(rows >= 0, rows + shift, -1)
            _, label, rank = np.nonzero(boxes >= 0)
            self.rank[boxes[boxes >= 0], label] = rank
            self.boxes.append(boxes)
        self.depth = max((b.shape[2] for b in self.boxes), default=0)
        none = np.empty(0, np.int64)
        # of each living tube: problem, number, last box, when it was seen
        self.problem, self.id, self.last, self.seen = none, none, none, none
        # sum and number of its scores
        self.total, self.number = np.empty(0), np.empty(0)
        self.next_id = 0
        self.record: list[tuple[np.ndarray, ...]] = [(none,) * 4]

    def links(self) -> tuple[np.ndarray, ...]:
        """(problem, tube, step, row) of every linked box, by step."""
        return tuple(map(np.concatenate, zip(*self.record, strict=True)))

    def step(self, step: int, active: int) -> None:
        """Link the boxes of frame `step` of the first `active` videos."""
        problems = active * self.classes
        here = np.full((active, self.classes, self.depth), -1, np.int64)
        for v in range(active):
            boxes = self.boxes[v][step]
            here[v, :, : boxes.shape[1]] = boxes
        here = here.reshape(problems, self.depth)
        alive = step - self.seen <= self.linking.max_gap + 1
        self._keep(alive & (self.problem < problems))
        holder = self._assign(step, problems)
        self._extend(step, holder, here.ravel())
        free = (here.ravel() >= 0) & (holder < 0)
        self._begin(step, np.flatnonzero(free), here.ravel())

    def _keep(self, keep: np.ndarray) -> None:
        if not keep.all():
            for name in ('problem', 'id', 'last', 'seen', 'total', 'number'):
                setattr(self, name, getattr(self, name)[keep])

    def _edges(self, step: int) -> tuple[np.ndarray, ...]:
        """What each tube may take: (tube, place), its best place first."""
        graph, gap = self.graph, step - self.seen - 1
        begin = graph.begin[gap, self.last]
        number = graph.end[gap, self.last] - begin
        tube = np.repeat(np.arange(len(number)), number)
        edge = np.arange(len(tube)) + np.repeat(
            begin - np.cumsum(number) + number, number
        )
        box, problem = graph.target[edge], self.problem[tube]
        label = problem % self.classes
        rank = self.rank[box, label]
        keep = np.flatnonzero(rank >= 0)
        tube, box, label, rank = tube[keep], box[keep], label[keep], rank[keep]
        score = self.scores[graph.row[box], label].astype(np.float64)
        worth = score + self.linking.overlap_weight * graph.overlap[edge[keep]]
        place = problem[keep] * self.depth + rank
        # few tubes have a choice; only theirs need an order
        several = np.diff(tube, prepend=-1) == 0
        several[:-1] |= several[1:]
        some = np.flatnonzero(several)
        order = np.lexsort((rank[some], -worth[some], tube[some]))
        place[some] = place[some[order]]
        return tube, place

    def _assign(self, step: int, problems: int) -> np.ndarray:
        """(places,) the tube that takes each box, or -1.

        One tube after the other, from the surest on, each takes its best
        free box. Found in rounds: every tube without a box asks for its
        best one that it has not been refused; the surest one that asks
        holds it, until a surer one asks.
        """
        holder = np.full(problems * self.depth, -1)
        if not len(self.id):
            return holder
        tube, place = self._edges(step)
        mean = self.total / self.number
        asks = np.searchsorted(tube, np.arange(len(self.id) + 1))
        ends, asks = asks[1:], asks[:-1].copy()
        waiting = np.flatnonzero(asks < ends)
        mark = np.zeros(len(holder), np.int64)
        while len(waiting):
            wanted = place[asks[waiting]]
            before = holder[wanted]
            mark[wanted] = waiting
            # two that ask, or one that has it: all of them are compared
            contested = (mark[wanted] != waiting) | (before >= 0)
            mark[wanted[contested]] = -1
            contested = mark[wanted] < 0
            holder[wanted[~contested]] = waiting[~contested]
            before = before[contested]
            rivals = np.r_[waiting[contested], np.unique(before[before >= 0])]
            spot = place[asks[rivals]]
            order = np.lexsort((self.id[rivals], -mean[rivals], spot))
            rivals, spot = rivals[order], spot[order]
            wins = np.diff(spot, prepend=-1) != 0
            holder[spot[wins]] = rivals[wins]
            waiting = rivals[~wins]
            asks[waiting] += 1
            waiting = waiting[asks[waiting] < ends[waiting]]
        return holder

    def _extend(self, step: int, holder: np.ndarray, here: np.ndarray) -> None:
        place = np.flatnonzero(holder >= 0)
        tube, box = holder[place], here[place]
        row = self.graph.row[box]
        problem = self.problem[tube]
        self.last[tube] = box
        self.seen[tube] = step
        self.total[tube] += self.scores[row, problem % self.classes]
        self.number[tube] += 1
        self.record.append(
            (problem, self.id[tube], np.full(len(tube), step), row)
        )

    def _begin(self, step: int, place: np.ndarray, here: np.ndarray) -> None:
        """A new tube for each place."""
        box, problem = here[place], place // max(self.depth, 1)
        row = self.graph.row[box]
        new = self.next_id + np.arange(len(place))
        self.next_id += len(place)
        seen = np.full(len(place), step)
        self.record.append((problem, new, seen, row))
        score = self.scores[row, problem % self.classes].astype(np.float64)
        for name, value in (
            ('problem', problem),
            ('id', new),
            ('last', box),
            ('seen', seen),
            ('total', score),
            ('number', np.ones(len(place))),
        ):
            joined = np.concatenate([getattr(self, name), value])
            setattr(self, name, joined)
