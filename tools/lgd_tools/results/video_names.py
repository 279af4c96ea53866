"""Names of videos: annotation lists, and names that streams share."""

import os
import re
from collections import Counter
from collections.abc import Sequence

from lgd_tools.cli import VIDEO_EXTENSIONS, ToolError, read_lines

# not str.isdigit(): a superscript is a digit, but no number
_NUMBER = re.compile('[0-9]{1,9}')


def read_list(ann: str | os.PathLike) -> tuple[list[str], list[int]]:
    """Names and labels of a list of videos or of folders of frames.

    Lines are `path label` (VideoDataset) or `dir total_frames label`
    (RawframeDataset).

    Raises:
        ToolError: The list is missing or empty, or a line has no label.
    """
    names, labels = [], []
    for number, line in read_lines(ann, 'annotation list'):
        name, *numbers = line.rsplit(None, 2)
        if len(numbers) == 2 and not _NUMBER.fullmatch(numbers[0]):
            # a path with a space, then the label
            name, *numbers = line.rsplit(None, 1)
        if not numbers or not _NUMBER.fullmatch(numbers[-1]):
            raise ToolError(
                f'{ann}:{number}: expected `path label` or `dir '
                f'total_frames label`, got {line!r}: write the list again'
            )
        names.append(name)
        labels.append(int(numbers[-1]))
    if not names:
        raise ToolError(f'the annotation list {ann} is empty')
    return names, labels


def video_keys(groups: Sequence[Sequence[str]]) -> list[list[str]]:
    """Names that are comparable between streams.

    `a/b/clip.mp4` (RGB) and `c/clip` (flow frames) are both `clip`. Where
    two videos of a group end alike (`run/01.avi`, `walk/01.avi`), one more
    folder is kept in all groups.

    Raises:
        ToolError: A video is listed twice.
    """
    parts = [[_split_name(name) for name in group] for group in groups]
    depth = max((len(p) for group in parts for p in group), default=1)
    keys: list[list[str]] = []
    low, high = 1, depth
    while low <= high:
        # names that differ in `kept` folders differ in more: halve the range
        kept = 1 if low == 1 and high == depth else (low + high) // 2
        found = [['/'.join(p[-kept:]) for p in group] for group in parts]
        if all(len(set(group)) == len(group) for group in found):
            keys, high = found, kept - 1
        else:
            low = kept + 1
    if keys or not groups:
        return keys
    keys = [['/'.join(p) for p in group] for group in parts]
    for group, names in zip(keys, groups, strict=True):
        counts = Counter(group)
        for key, name in zip(group, names, strict=True):
            if counts[key] > 1:
                raise ToolError(
                    f'{name} is there more than once; remove the duplicates '
                    'from the annotation list and test again'
                )
    return keys


def _split_name(name: str) -> tuple[str, ...]:
    # lists split at blanks, so folders of frames have '_' instead
    name = name.replace('\\', '/').replace(' ', '_')
    parts = [p for p in name.split('/') if p]
    if not parts:
        raise ToolError('a video without a name; remove it from the list')
    stem, suffix = os.path.splitext(parts[-1])
    if suffix.lower() in VIDEO_EXTENSIONS:
        parts[-1] = stem
    return tuple(parts)


def same_videos(sets: Sequence[tuple[str, set[str]]], remedy: str) -> None:
    """Raises ToolError unless all (title, keys) hold the same videos."""
    everything = set().union(*(keys for _, keys in sets))
    for title, keys in sets:
        missing = sorted(everything - keys)
        if missing:
            counts = ', '.join(f'{t}: {len(k)}' for t, k in sets)
            shown = ', '.join(missing[:3]) + ', ...' * (len(missing) > 3)
            raise ToolError(
                f'not the same videos ({counts}); {len(missing)} are not in '
                f'{title}: {shown}; {remedy}'
            )
