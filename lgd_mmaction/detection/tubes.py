"""Detected tubes: filling of gaps, and trimming in time.

In untrimmed videos (UCF101-24) an actor is often there before and after the
action, so a linked tube is too long. As Saha et al. (BMVC 2016) and Singh
et al. (ICCV 2017) do, each frame of a tube gets one of two labels, action
or not, such that their sum of scores minus a penalty for each change of
label is highest (Viterbi): the penalty smooths, a short dip does not cut.
"""

from dataclasses import dataclass

import numpy as np

from lgd_mmaction.errors import ConfigError


@dataclass
class TubeSet:
    """n detected tubes; the frames of tube i are offset[i] : offset[i + 1]."""

    label: np.ndarray  # (n,) class
    start: np.ndarray  # (n,) first frame
    offset: np.ndarray  # (n + 1,)
    boxes: np.ndarray  # (L, 4) float64 pixels
    scores: np.ndarray  # (L,) float64, of each frame

    def __len__(self) -> int:
        return len(self.start)

    def mean_scores(self) -> np.ndarray:
        """(n,) mean score of each tube, added up in the order of frames."""
        length = np.diff(self.offset)
        tube = np.repeat(np.arange(len(self)), length)
        # bincount adds one by one: the same sum for the same scores
        return np.bincount(tube, self.scores, len(self)) / length

    def cut(
        self, tube: np.ndarray, begin: np.ndarray, length: np.ndarray
    ) -> 'TubeSet':
        """Parts of tubes: `length` frames from row `begin` of each `tube`."""
        offset = np.concatenate([[0], np.cumsum(length)])
        rows = np.arange(offset[-1]) + np.repeat(begin - offset[:-1], length)
        return TubeSet(
            self.label[tube],
            self.start[tube] + begin - self.offset[tube],
            offset,
            self.boxes[rows],
            self.scores[rows],
        )

    def take(self, tube: np.ndarray) -> 'TubeSet':
        """Some of the tubes, in another order."""
        return self.cut(tube, self.offset[tube], np.diff(self.offset)[tube])


def fill_gaps(
    tube: np.ndarray,
    label: np.ndarray,
    frame: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
) -> TubeSet:
    """Tubes of linked boxes; straight lines fill the frames between two.

    Args:
        tube, label, frame: (M,) int of each linked box, by tube, then by
            frame.
        boxes, scores: (M, 4) and (M,) float64.
    """
    # frames from each link up to, not including, the next one of its tube
    span = np.diff(frame, append=0)
    span[np.diff(tube, append=-1) != 0] = 1
    offset = np.concatenate([[0], np.cumsum(span)])
    link = np.repeat(np.arange(len(tube)), span)
    part = np.arange(len(link)) - offset[link]
    inside = np.flatnonzero(part)
    a, part = link[inside], part[inside] / span[link[inside]]
    filled, filled_scores = boxes[link], scores[link]
    filled[inside] += (boxes[a + 1] - boxes[a]) * part[:, None]
    filled_scores[inside] += (scores[a + 1] - scores[a]) * part
    first = np.flatnonzero(np.diff(tube, prepend=-1))
    return TubeSet(
        label[first],
        frame[first],
        np.r_[offset[first], offset[-1]],
        filled,
        filled_scores,
    )


@dataclass(frozen=True)
class Trimming:
    """Settings of the trimming.

    With u the class score of a frame divided by the highest of its tube, a
    frame of action adds u - level, one without it level - u. At level 0.5
    these are Saha's u and 1 - u less a constant; the division makes it
    work for scores that are small everywhere, such as products with the
    score of a person detector.
    """

    # share of the tube's highest score, in (0, 1)
    level: float = 0.5
    # price of each change of label, in the same unit: at level 0.5, a pause
    # with score 0 is cut out from 2 * penalty frames on
    penalty: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.level < 1 or not self.penalty >= 0:
            raise ConfigError(
                f'level={self.level} of the trimming must be between 0 and '
                f'1, penalty={self.penalty} not negative'
            )


def trim_tubes(tubes: TubeSet, trimming: Trimming) -> TubeSet:
    """Cut tubes into their runs of action; each run is a tube of its own.

    A tube in which no frame is labelled action, or whose scores are all
    0, stays as it is: trimming never takes a detection away.

    Returns:
        The runs, in the order of the tubes, then of time.
    """
    if not len(tubes):
        return tubes
    first = tubes.offset[:-1]
    tube = np.repeat(np.arange(len(tubes)), np.diff(tubes.offset))
    top = np.maximum.reduceat(tubes.scores, first)[tube]
    gain = tubes.scores / np.where(top > 0, top, 1.0) - trimming.level
    action = two_label_path(gain, tubes.offset, trimming.penalty)
    action |= ~np.logical_or.reduceat(action, first)[tube]
    before = np.r_[False, action[:-1]]
    before[first] = False
    after = np.r_[action[1:], False]
    after[tubes.offset[1:] - 1] = False
    begins = np.flatnonzero(action & ~before)
    ends = np.flatnonzero(action & ~after)
    return tubes.cut(tube[begins], begins, ends - begins + 1)


def two_label_path(
    gain: np.ndarray, offset: np.ndarray, penalty: float
) -> np.ndarray:
    """(L,) bool, best labels of sequences: sum of +-gain less the penalties.

    On a tie the label does not change, and the last one is True.

    Args:
        gain: (L,) what label True adds; False adds -gain.
        offset: (n + 1,) sequence i is offset[i] : offset[i + 1], not empty.
        penalty: Price of each change of label.
    """
    length = np.diff(offset)
    # longest first: the sequences that go on are then the first ones
    order = np.argsort(-length, kind='stable')
    length, begin = length[order], offset[:-1][order]
    yes, no = gain[begin].copy(), -gain[begin]
    # label of the frame before, if this one is True / False
    from_yes, from_no = np.ones(len(gain), bool), np.zeros(len(gain), bool)
    longest = int(length[0])
    going = np.searchsorted(-length, -np.arange(longest), side='left')
    for step in range(1, longest):
        n = going[step]
        at = begin[:n] + step
        stay_yes = yes[:n] >= no[:n] - penalty
        stay_no = no[:n] >= yes[:n] - penalty
        new_yes = np.where(stay_yes, yes[:n], no[:n] - penalty) + gain[at]
        new_no = np.where(stay_no, no[:n], yes[:n] - penalty) - gain[at]
        from_yes[at], from_no[at] = stay_yes, ~stay_no
        yes[:n], no[:n] = new_yes, new_no
    label = yes >= no
    out = np.empty(len(gain), bool)
    for step in range(longest - 1, -1, -1):
        n = going[step]
        at = begin[:n] + step
        out[at] = label[:n]
        if step:
            label[:n] = np.where(label[:n], from_yes[at], from_no[at])
    return out
