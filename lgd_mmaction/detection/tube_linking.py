"""Linking of the boxes of single frames into tubes, class by class.

The online greedy linking that the ACT detector (Kalogeiton et al., ICCV
2017) and Singh et al. (ICCV 2017) made the standard for J-HMDB and
UCF101-24, for boxes of single frames. In every frame, the tubes of a class,
from the highest mean score on, each take a box that overlaps their last one
enough; what is left over begins new tubes. It needs one pass and no
knowledge of the whole video; the Viterbi of Gkioxari and Malik would give
every tube the length of the video, which untrimmed videos do not allow.

All classes of many videos advance together, one frame a step, in flat
arrays of living tubes: a problem is one class in one video.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lgd_mmaction.detection.detection_set import DetectionSet
from lgd_mmaction.detection.link_graph import LinkGraph, build_graph
from lgd_mmaction.detection.suppression import ranked_boxes
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
        if self.nms_iou is not None and not 0 < self.nms_iou <= 1:
            raise ConfigError(f'nms_iou={self.nms_iou} is not in (0, 1]')
        if not 0 < self.iou <= 1:
            raise ConfigError(
                f'iou={self.iou} of the linking is not in (0, 1]'
            )
        if self.top_k < 1 or self.min_length < 1 or self.max_gap < 0:
            raise ConfigError(
                f'top_k={self.top_k} and min_length={self.min_length} must '
                f'be at least 1, max_gap={self.max_gap} at least 0'
            )
        if self.overlap_weight < 0 or self.min_score < 0:
            raise ConfigError(
                f'overlap_weight={self.overlap_weight} and '
                f'min_score={self.min_score} must not be negative'
            )


@dataclass
class TubeSet:
    """n detected tubes; the frames of tube i are offset[i] : offset[i + 1].

    Attributes:
        video: (n,) index of the video.
        label: (n,) class.
        start: (n,) first frame.
        offset: (n + 1,).
        boxes: (L, 4) float64 pixels, or None where nobody needs them.
        scores: (L,) float64, score of each frame.
    """

    video: np.ndarray
    label: np.ndarray
    start: np.ndarray
    offset: np.ndarray
    boxes: np.ndarray | None
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def mean_scores(self) -> np.ndarray:
        """(n,) mean score of each tube, added up in the order of frames."""
        length = np.diff(self.offset)
        tube = np.repeat(np.arange(len(self)), length)
        # bincount adds one by one: the same sum for the same scores
        return np.bincount(tube, self.scores, len(self)) / length


@dataclass
class Links:
    """n linked boxes, sorted by tube, then by frame.

    Attributes:
        tube: (n,) number of the tube; grows with its first frame, then with
            the rank of its first box there.
        video, label, frame: (n,) int.
        row: (n,) row of the detections.
    """

    tube: np.ndarray
    video: np.ndarray
    label: np.ndarray
    frame: np.ndarray
    row: np.ndarray

    def select(self, keep: np.ndarray) -> 'Links':
        """The links where `keep` (n,) is true."""
        return Links(*(values[keep] for values in vars(self).values()))


def link_tubes(
    data: DetectionSet,
    videos: Sequence[int],
    linking: Linking,
    pixel_offset: float = 0.0,
) -> TubeSet:
    """Link the boxes of some videos into tubes; see find_links.

    Returns:
        The tubes, in the order video, class, first frame, rank there.
        min_length and min_score are not applied: trimming comes first.
    """
    links = find_links(data, videos, linking, pixel_offset)
    return fill_tubes(data, links)


def find_links(
    data: DetectionSet,
    videos: Sequence[int],
    linking: Linking,
    pixel_offset: float = 0.0,
) -> Links:
    """Which boxes of some videos belong together.

    Tubes of equal mean score choose in the order in which they began;
    within one frame, boxes rank by score, then by row. Of boxes of equal
    worth a tube takes the first by rank.

    Args:
        data, linking, pixel_offset: As in link_tubes.
        videos: Indices of videos, of about the same number of frames.
    """
    tested = np.diff(data.video_offset)[list(videos)]
    # longest first: the problems of a step are then the first ones
    videos = np.asarray(videos)[np.argsort(-tested, kind='stable')]
    begins = data.video_offset[videos]
    tested = np.diff(data.video_offset)[videos]
    classes = data.scores.shape[1]
    ranked = [
        ranked_boxes(
            data, b, b + n, linking.nms_iou, linking.top_k, pixel_offset
        )
        for b, n in zip(begins, tested, strict=True)
    ]
    graph = build_graph(
        data, videos, linking.iou, linking.max_gap, pixel_offset
    )
    linker = _Linker(data, linking, graph, ranked)
    for step in range(int(tested.max(initial=0))):
        linker.step(step, int((tested > step).sum()))
    problem, tube, step, row = linker.links()
    owner = problem // classes
    # stable: by tube, the steps of a tube in their order
    order = np.argsort(tube, kind='stable')
    return Links(
        tube[order],
        videos[owner][order],
        (problem % classes)[order],
        data.frame[begins[owner] + step][order],
        row[order],
    )


class _Linker:
    """The living tubes of all problems, as flat arrays.

    Boxes are counted as in the graph; a place is one rank of one problem
    in the current frame.
    """

    def __init__(
        self,
        data: DetectionSet,
        linking: Linking,
        graph: LinkGraph,
        ranked: Sequence[np.ndarray],
    ) -> None:
        self.scores, self.linking, self.graph = data.scores, linking, graph
        self.classes = data.scores.shape[1]
        self.depth = max((r.shape[2] for r in ranked), default=0)
        # rows of the detections to boxes of the graph
        self.boxes = []
        self.rank = np.full((len(graph.row), self.classes), -1, np.int32)
        for rows, base in zip(ranked, graph.base.tolist(), strict=True):
            first = int(graph.row[base]) if rows.size else 0
            boxes = np.where(rows >= 0, rows - first + base, -1)
            _, label, rank = np.nonzero(boxes >= 0)
            self.rank[boxes[boxes >= 0], label] = rank
            self.boxes.append(boxes)
        none = np.empty(0, np.int64)
        self.problem, self.id, self.last, self.seen = none, none, none, none
        self.total, self.number = np.empty(0), np.empty(0)
        self.next_id = 0
        self.record: list[tuple[np.ndarray, ...]] = []

    def links(self) -> tuple[np.ndarray, ...]:
        """(problem, tube, step, row) of every linked box, by step."""
        if not self.record:
            return tuple(np.empty(0, np.int64) for _ in range(4))
        return tuple(
            np.concatenate(parts) for parts in zip(*self.record, strict=True)
        )

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


def fill_tubes(
    data: DetectionSet, links: Links, with_boxes: bool = True
) -> TubeSet:
    """Tubes from links; straight lines fill the frames between two links.

    Returns:
        Tubes in the order video, class, first frame, rank there; without
        `with_boxes` their `boxes` are None.
    """
    number = len(links.tube)
    score = data.scores[links.row, links.label].astype(np.float64)
    new = np.diff(links.tube, prepend=-1) != 0
    first = np.flatnonzero(new)
    # frames from each link up to, not including, the next one of its tube
    span = np.diff(links.frame, append=0)
    span[np.r_[new[1:], np.ones(min(number, 1), bool)]] = 1
    link = np.repeat(np.arange(number), span)
    part = np.arange(len(link)) - np.repeat(np.cumsum(span) - span, span)
    inside = np.flatnonzero(part)
    a, part = link[inside], part[inside] / span[link[inside]]
    scores = score[link]
    scores[inside] += (score[a + 1] - score[a]) * part
    boxes = None
    if with_boxes:
        box = data.boxes[links.row]
        boxes = box[link]
        boxes[inside] += (box[a + 1] - box[a]) * part[:, None]
    offset = np.concatenate([[0], np.cumsum(span)])
    begin = offset[first]
    length = np.diff(np.r_[begin, offset[-1]])
    tubes = TubeSet(
        links.video[first],
        links.label[first],
        links.frame[first],
        np.r_[begin, offset[-1]],
        boxes,
        scores,
    )
    # stable: first frame and rank are the order of tubes already
    order = np.lexsort((tubes.label, tubes.video))
    return select_spans(tubes, order, begin[order], length[order])


def select_spans(
    tubes: TubeSet, tube: np.ndarray, begin: np.ndarray, length: np.ndarray
) -> TubeSet:
    """Parts of tubes: `length` frames from row `begin` of each `tube`."""
    offset = np.concatenate([[0], np.cumsum(length)])
    rows = np.arange(offset[-1]) + np.repeat(begin - offset[:-1], length)
    return TubeSet(
        tubes.video[tube],
        tubes.label[tube],
        tubes.start[tube] + begin - tubes.offset[tube],
        offset,
        None if tubes.boxes is None else tubes.boxes[rows],
        tubes.scores[rows],
    )
