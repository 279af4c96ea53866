"""Linking of the boxes of single frames into tubes, class by class.

The online greedy linking that the ACT detector (Kalogeiton et al., ICCV
2017) and Singh et al. (ICCV 2017) made the standard for J-HMDB and
UCF101-24, for boxes of single frames. In every frame, the tubes of a class,
from the highest mean score on, each take a box that overlaps their last one
enough; what is left over begins new tubes. It needs one pass and no
knowledge of the whole video; the Viterbi of Gkioxari and Malik would give
every tube the length of the video, which untrimmed videos do not allow.
"""

from dataclasses import dataclass

import numpy as np

from lgd_mmaction.detection.average_precision import greedy_match
from lgd_mmaction.detection.boxes import box_iou, nms
from lgd_mmaction.detection.detection_set import DetectionSet
from lgd_mmaction.detection.tubes import TubeSet, fill_gaps
from lgd_mmaction.errors import ConfigError


@dataclass(frozen=True)
class Linking:
    """Settings of the linking."""

    # class-wise suppression within a frame before; ACT 0.3, MOC 0.6 (soft)
    nms_iou: float | None = None
    # boxes of a frame and class that are linked, the surest ones
    top_k: int = 10
    # overlap with the tube's last box; ACT 0.2, MOC 0.5, Singh et al. 0.1
    iou: float = 0.2
    # the best score + overlap_weight * overlap is taken; ACT 0
    overlap_weight: float = 1.0
    # tested frames that a tube may go without a box; interpolated
    max_gap: int = 3
    # shorter tubes (frames) are left out; ACT 15
    min_length: int = 1
    # tubes of lower mean score are left out; ACT 0.01
    min_score: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ('nms_iou', 1e-9, 1),
            ('iou', 1e-9, 1),
            ('top_k', 1, np.inf),
            ('min_length', 1, np.inf),
            ('max_gap', 0, np.inf),
            ('overlap_weight', 0, np.inf),
            ('min_score', 0, np.inf),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigError(
                    f'{name}={value} of the linking is outside '
                    f'[{low:g}, {high:g}]'
                )


# a tube that goes on: its class, number, last row of the detections, the
# step in which that was, sum and count of its scores
_NUMBERS = 'label', 'number', 'row', 'step', 'count'
_TUBE = np.dtype([('sum', np.float64), *((n, np.int64) for n in _NUMBERS)])


def link_tubes(
    detections: DetectionSet, video: int, linking: Linking
) -> TubeSet:
    """Link the boxes of a video into tubes, gaps filled.

    Tubes of equal mean score choose in the order in which they began;
    within one frame, boxes rank by score, then by row. Of boxes of equal
    worth a tube takes the first by rank.

    Returns:
        The tubes, in the order class, first frame, rank there. Those below
        min_length and min_score are among them: trimming comes first.
    """
    first, last = detections.video_offset[video : video + 2]
    # (frames, K, D) rows by rank, -1 as padding
    ranked = nms(detections, first, last, linking.nms_iou, linking.top_k)
    tubes, links, born = np.empty(0, _TUBE), [np.empty(0, _TUBE)], 0
    for step, rows in enumerate(ranked):
        tubes = tubes[step - tubes['step'] <= linking.max_gap + 1]
        place = _choose(detections, linking, tubes, rows)
        going = place >= 0
        label, place = tubes['label'][going], place[going]
        free = rows >= 0
        free[label, place] = False
        new = np.zeros(int(free.sum()), _TUBE)
        new['label'], new['row'] = np.nonzero(free)[0], rows[free]
        new['number'] = born + np.arange(len(new))
        born += len(new)
        tubes['row'][going] = rows[label, place]
        going = np.r_[going, np.ones(len(new), bool)]
        tubes = np.concatenate([tubes, new])
        score = detections.scores[tubes['row'], tubes['label']]
        tubes['step'][going] = step
        tubes['sum'][going] += score[going]
        tubes['count'][going] += 1
        links.append(tubes[going])
    link = np.concatenate(links)
    # stable: the steps of a tube in their order
    link = link[np.lexsort((link['number'], link['label']))]
    return fill_gaps(
        link['number'],
        link['label'],
        detections.frame[first + link['step']],
        detections.boxes[link['row']],
        detections.scores[link['row'], link['label']].astype(np.float64),
    )


def _choose(
    detections: DetectionSet,
    linking: Linking,
    tubes: np.ndarray,
    rows: np.ndarray,
) -> np.ndarray:
    """(L,) rank of the box that each tube that may go on takes, or -1.

    rows: (K, D) boxes of this frame by rank, -1 as padding.
    """
    mean = tubes['sum'] / tubes['count']
    # the surest first within its class
    order = np.lexsort((tubes['number'], -mean, tubes['label']))
    label = tubes['label'][order]
    rank = np.arange(len(label)) - np.searchsorted(label, label)
    mine = rows[label]  # (L, D)
    overlap = box_iou(
        detections.boxes[tubes['row'][order], None], detections.boxes[mine]
    )
    score = detections.scores[mine, label[:, None]].astype(np.float64)
    worth = score + linking.overlap_weight * overlap
    worth[(mine < 0) | (overlap < linking.iou)] = -1
    classes, depth = rows.shape
    groups = np.full((classes, rank.max(initial=-1) + 1, depth), -1.0)
    groups[label, rank] = worth
    place = np.empty(len(tubes), np.int64)
    place[order] = greedy_match(groups, 0.0)[label, rank]
    return place
