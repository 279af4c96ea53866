"""Temporal trimming: which frames of a linked tube show the action.

In untrimmed videos (UCF101-24) an actor is often there before and after the
action, so a linked tube is too long. As Saha et al. (BMVC 2016) and Singh
et al. (ICCV 2017) do, each frame of a tube gets one of two labels, action
or not, such that their sum of scores minus a penalty for each change of
label is highest (Viterbi): the penalty smooths, a short dip does not cut.
"""

from dataclasses import dataclass

import numpy as np

from lgd_mmaction.detection.tube_linking import TubeSet, select_spans
from lgd_mmaction.errors import ConfigError


@dataclass(frozen=True)
class Trimming:
    """Settings of the trimming.

    With u the class score of a frame divided by the highest of its tube, a
    frame of action adds u - level, one without it level - u. At level 0.5
    these are Saha's u and 1 - u less a constant; the division makes it
    work for scores that are small everywhere, such as products with the
    score of a person detector.

    Attributes:
        level: Share of the tube's highest score, in (0, 1).
        penalty: Price of each change of label, in the same unit: at level
            0.5, a pause with score 0 is cut out from 2 * penalty frames on.
    """

    level: float = 0.5
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
    length = np.diff(tubes.offset)
    top = np.maximum.reduceat(tubes.scores, tubes.offset[:-1])
    scale = np.where(top > 0, top, 1.0)
    gain = tubes.scores / np.repeat(scale, length) - trimming.level
    action = two_label_path(gain, tubes.offset, trimming.penalty)
    tube = np.repeat(np.arange(len(tubes)), length)
    any_action = np.bincount(tube, action, len(tubes)) > 0
    action |= ~any_action[tube]
    before = np.r_[False, action[:-1]]
    before[tubes.offset[:-1]] = False
    after = np.r_[action[1:], False]
    after[tubes.offset[1:] - 1] = False
    begins = np.flatnonzero(action & ~before)
    ends = np.flatnonzero(action & ~after)
    return select_spans(tubes, tube[begins], begins, ends - begins + 1)


def two_label_path(
    gain: np.ndarray, offset: np.ndarray, penalty: float
) -> np.ndarray:
    """Best labels of many sequences: sum of +-gain minus the penalties.

    On a tie the label does not change, and the last one is True.

    Args:
        gain: (L,) what label True adds; False adds -gain.
        offset: (n + 1,) sequence i is offset[i] : offset[i + 1], not empty.
        penalty: Price of each change of label.

    Returns:
        (L,) bool.
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
