"""UCF101: the official split lists -> lists and label map.

Reads classInd.txt, trainlist0N.txt and testlist0N.txt (the folder
ucfTrainTestlist of the download), finds the videos, and writes under --out

  ucf101_{train,val}_split_{1,2,3}_videos.txt   lines `class/clip.avi label`
  label_map.txt                                 class names by index
  ucf101_report.{txt,json}                      what is missing, what is left
  videos/                                       links, where the videos lie
                                                elsewhere

Class indices are those of classInd.txt less one. Videos may lie in class
folders, as in the archive, or all in one folder, with any extension.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lgd_tools.cli import ToolError, read_lines, require_file
from lgd_tools.lists.clips import Clip, name_key
from lgd_tools.lists.official_splits import Splits, convert

EXAMPLE = """\
  python tools/data/ucf101.py --annotations ucfTrainTestlist \\
      --videos ~/downloads/UCF-101 --out data/ucf101"""


def find_annotations(folder: Path) -> Path:
    """The folder that holds classInd.txt: this one or one right below."""
    for path in (folder, *sorted(folder.iterdir())):
        if (path / 'classInd.txt').is_file():
            return path
    return require_file(folder / 'classInd.txt', 'class list').parent


def read_classes(path: Path, num_classes: int) -> list[str]:
    """Class names in the order of their numbers, which start at 1.

    Raises:
        ToolError: A line is not `number name`, a number or name is there
            twice or lacking, or there are not ``num_classes`` classes.
    """
    names: dict[int, str] = {}
    for number, line in read_lines(path, 'class list'):
        # no name begins with a dot: '..' would lead out of the folder
        match = re.fullmatch(r'([0-9]{1,6})\s+([^\s/\\.][^\s/\\]*)', line)
        if match is None:
            raise ToolError(
                f'{path}:{number}: expected `number ClassName`, got {line!r}'
            )
        index, name = int(match[1]), match[2]
        if index in names or name in names.values():
            raise ToolError(f'{path}:{number}: {line!r} is there twice')
        names[index] = name
    if sorted(names) != list(range(1, num_classes + 1)):
        raise ToolError(
            f'{path}: {len(names)} classes, expected the numbers 1 to '
            f'{num_classes}: download the file again, or set --num-classes'
        )
    return [names[i] for i in range(1, num_classes + 1)]


def read_split(
    path: Path, classes: Sequence[str], labelled: bool
) -> tuple[list[Clip], Counter]:
    """Clips of a train list (``class/clip.avi number``) or a test list.

    Raises:
        ToolError: An unknown class, a number that is not the class's, or a
            line of another shape; names the line.
    """
    shape = 'Class/clip.avi number' if labelled else 'Class/clip.avi'
    pattern = r'([^/\\]+)[/\\]([^/\\.](?:[^/\\]*[^/\\\s])?)'
    pattern += r'\s+([0-9]{1,6})' if labelled else ''
    index = {name: i for i, name in enumerate(classes)}
    clips: dict[str, Clip] = {}
    notes: Counter = Counter()
    for number, line in read_lines(path, 'split list'):
        match = re.fullmatch(pattern, line)
        if match is None or match[1] not in index:
            raise ToolError(
                f'{path}:{number}: expected `{shape}` with a class of '
                f'classInd.txt, got {line!r}'
            )
        class_name, label = match[1], index[match[1]]
        if labelled and int(match[3]) != label + 1:
            raise ToolError(
                f'{path}:{number}: label {match[3]}, but {class_name} has '
                f'number {label + 1} of 1 to {len(classes)} in classInd.txt'
            )
        name = f'{class_name}/{match[2]}'
        if name in clips:
            notes['duplicate rows ignored'] += 1
        clips.setdefault(name, Clip(name, label, class_name))
    return list(clips.values()), notes


def read_both(folder: Path, split: int, classes: Sequence[str]) -> Splits:
    """Train and val clips of one split.

    Raises:
        ToolError: A clip is in both lists, or see :func:`read_split`.
    """
    train = folder / f'trainlist{split:02d}.txt'
    test = folder / f'testlist{split:02d}.txt'
    trained = read_split(train, classes, labelled=True)
    tested = read_split(test, classes, labelled=False)
    keys = {name_key(clip.name) for clip in tested[0]}
    both = [clip.name for clip in trained[0] if name_key(clip.name) in keys]
    if both:
        raise ToolError(
            f'{both[0]} is in {train} and in {test} ({len(both)} such '
            'clips), so the test would be of trained clips: download the '
            'lists again'
        )
    return {f'train_split_{split}': trained, f'val_split_{split}': tested}


def read(
    folder: Path, num_classes: int, splits: Sequence[int]
) -> tuple[list[str], Splits]:
    """Class names by index, and the clips of the splits."""
    folder, found = find_annotations(folder), {}
    classes = read_classes(folder / 'classInd.txt', num_classes)
    for split in splits:
        found |= read_both(folder, split, classes)
    return classes, found


main = partial(convert, 'ucf101', 101, read, __doc__, EXAMPLE)
