"""Names of videos: annotation lists, and names that streams share."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count

from lgd_tools.cli import VIDEO_EXTENSIONS, ToolError, read_lines

# not str.isdigit(): a superscript is a digit, but no number
_NUMBER = re.compile('[0-9]{1,9}')


def read_list(ann: str | os.PathLike) -> tuple[list[str], list[int]]:
    """Names and labels of a list of videos or of folders of frames.

    Lines are `path label` (VideoDataset) or `dir total_frames label`
    (RawframeDataset).
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


def name_parts(name: str) -> tuple[str, ...]:
    """Folders and stem of a video; `a b.avi` and the frames `a_b` agree."""
    # lists split at blanks, so folders of frames have '_' instead
    name = name.replace('\\', '/').replace(' ', '_')
    parts = [p for p in name.split('/') if p]
    if not parts:
        raise ToolError('a video without a name; remove it from the list')
    stem, suffix = os.path.splitext(parts[-1])
    if suffix.lower() in VIDEO_EXTENSIONS:
        parts[-1] = stem
    return tuple(parts)


def video_keys(groups: Sequence[Sequence[str]]) -> list[list[str]]:
    """Names that are comparable between streams.

    `a/b/clip.mp4` (RGB) and `c/clip` (flow frames) are both `clip`. Where
    two videos of a group end alike (`run/01.avi`, `walk/01.avi`), one more
    folder is kept in all groups. A video that is listed twice is refused.
    """
    parts = [[name_parts(name) for name in group] for group in groups]
    for names, own in zip(groups, parts, strict=True):
        (video, times), *_ = [*Counter(own).most_common(1), ((), 0)]
        if times > 1:
            raise ToolError(
                f'{names[own.index(video)]} is there more than once; remove '
                'the duplicates from the annotation list and test again'
            )
    for kept in count(1):
        keys = [['/'.join(p[-kept:]) for p in own] for own in parts]
        if all(len(set(own)) == len(own) for own in keys):
            return keys


def require_same_videos(
    lists: Sequence[tuple[object, Mapping[str, int]]], remedy: str
) -> None:
    """Raise ToolError unless all hold the same videos with the same labels.

    A list is its title, and the label of each key of :func:`video_keys`.
    """
    everything = set().union(*(labels for _, labels in lists))
    for title, labels in lists:
        missing = sorted(everything - labels.keys())
        if missing:
            counts = ', '.join(f'{t}: {len(k)}' for t, k in lists)
            shown = ', '.join(missing[:3]) + ', ...' * (len(missing) > 3)
            raise ToolError(
                f'not the same videos ({counts}); {len(missing)} are not in '
                f'{title}: {shown}; {remedy}'
            )
    first, known = lists[0]
    for title, labels in lists[1:]:
        for key, label in labels.items():
            if known[key] != label:
                raise ToolError(
                    f'{first} and {title} disagree on {key}: label '
                    f'{known[key]} and {label}; make both lists with one '
                    'label map, and give the list that a test read'
                )
