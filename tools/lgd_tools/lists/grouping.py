"""Clips that belong together, and splits that do not part them."""

import argparse
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from lgd_tools.cli import ToolError
from lgd_tools.lists.clips import Clip, name_key

GROUPS = {'clip': r'^.*$', 'folder': r'^(.+)/[^/]+$'}


def group_pattern(text: str) -> re.Pattern:
    """argparse type of ``--group``."""
    try:
        return re.compile(GROUPS.get(text, text))
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a regular expression ({error})'
        ) from None


def group_keys(
    clips: Sequence[Clip], pattern: re.Pattern
) -> tuple[list[str], int]:
    """The group of each clip, and how many clips the pattern did not match.

    A clip that it does not match is a group of its own. Clips of one file
    name in two class folders are one group unless the pattern says more. A
    pattern with a slash looks at the path below the class folder, any other
    at the file name; both without extension.
    """
    keys, alone = [], 0
    for clip in clips:
        match = pattern.search(_subject(clip, pattern))
        if match is None:
            alone += 1
            keys.append(f'/{clip.name}')  # no stem holds a slash
        else:
            text = match[1] if pattern.groups else match[0]
            keys.append(name_key(text or ''))
    if alone == len(clips):
        raise ToolError(
            f'--group {pattern.pattern!r} matches no file name, for example '
            f'not {_subject(clips[0], pattern)!r}: check the expression'
        )
    return keys, alone


def _subject(clip: Clip, pattern: re.Pattern) -> str:
    path = Path(clip.name)
    if '/' not in pattern.pattern:
        return path.stem
    return Path(*path.parts[1:]).with_suffix('').as_posix()


# ---------------------------------------------------------------- splitting
def _shuffled_groups(
    labels: Sequence[int], keys: Sequence[str], seed: int
) -> dict[str, Counter]:
    """Clips of each class in each group, in random order."""
    groups: dict[str, Counter] = defaultdict(Counter)
    for label, key in zip(labels, keys, strict=True):
        groups[key][label] += 1
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    return {key: groups[key] for key in order}


def split_groups(
    labels: Sequence[int], keys: Sequence[str], fraction: float, seed: int
) -> list[bool]:
    """Whether each clip is for validation; whole groups, class by class.

    Groups come in random order; one goes to validation if that brings the
    classes nearer to ``fraction`` of their clips. Then every class of two
    groups or more gets at least one clip on either side, where a group can
    be moved without emptying another class. The order of the clips does not
    matter.
    """
    groups = _shuffled_groups(labels, keys, seed)
    totals, chosen = Counter(labels), Counter()
    val = set()
    for key, own in groups.items():
        lacks = {c: fraction * totals[c] - chosen[c] for c in own}
        gain = sum(abs(lacks[c]) - abs(lacks[c] - own[c]) for c in own)
        if gain > 1e-9:
            val.add(key)
            chosen += own
    for label in sorted(totals):
        if 0 < chosen[label] < totals[label]:
            continue
        for key in sorted(groups, key=lambda key: groups[key].total()):
            own = groups[key]
            side = chosen if key in val else totals - chosen
            if own[label] and all(side[c] > own[c] for c in own):
                chosen = chosen - own if key in val else chosen + own
                val ^= {key}
                break
    return [key in val for key in keys]


def fold_groups(
    labels: Sequence[int], keys: Sequence[str], folds: int, seed: int
) -> list[int]:
    """The fold of each clip, from 0; whole groups, classes spread evenly.

    The largest groups come first, each into the fold that has the least of
    its classes.
    """
    groups = _shuffled_groups(labels, keys, seed)
    if len(groups) < folds:
        raise ToolError(
            f'--folds {folds}: there are {len(groups)} groups of clips, and '
            'each fold needs one: use fewer folds, or another --group'
        )
    totals, filled = Counter(labels), [Counter() for _ in range(folds)]
    fold_of = {}
    for key, own in sorted(groups.items(), key=lambda kv: -kv[1].total()):
        loads = []
        for have in filled:
            shares = (n * have[c] / totals[c] for c, n in own.items())
            loads.append((sum(shares), have.total()))
        fold_of[key] = loads.index(min(loads))
        filled[fold_of[key]] += own
    return [fold_of[key] for key in keys]
