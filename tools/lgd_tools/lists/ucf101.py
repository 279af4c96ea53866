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
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lgd_tools.cli import ToolError, read_lines
from lgd_tools.lists.official_splits import convert

EXAMPLE = """\
  python tools/data/ucf101.py --annotations ucfTrainTestlist \\
      --videos ~/downloads/UCF-101 --out data/ucf101"""


def read_classes(path: Path, num_classes: int) -> list[str]:
    """Class names in the order of their numbers, which start at 1."""
    names: dict[int, str] = {}
    for number, line in read_lines(path, 'class list'):
        # no name begins with a dot: '..' would lead out of the folder
        match = re.fullmatch(r'([0-9]{1,6})\s+([^\s/\\.][^\s/\\]*)', line)
        if match is None:
            raise ToolError(
                f'{path}:{number}: expected `number ClassName`, got {line!r}'
            )
        names[int(match[1])] = match[2]
    numbers = list(range(1, num_classes + 1))
    if sorted(names) != numbers or len({*names.values()}) != num_classes:
        raise ToolError(
            f'{path}: {len(names)} classes, expected {num_classes} different '
            f'ones, numbered from 1: download the file again, or set '
            '--num-classes'
        )
    return [names[number] for number in numbers]


def read_split(
    path: Path, classes: Sequence[str], labelled: bool
) -> list[str]:
    """Clips of a train list (``class/clip.avi number``) or a test list."""
    shape = 'Class/clip.avi number' if labelled else 'Class/clip.avi'
    pattern = r'([^/\\]+)[/\\]([^/\\.](?:[^/\\]*[^/\\\s])?)'
    pattern += r'\s+([0-9]{1,6})' if labelled else ''
    index = {name: i for i, name in enumerate(classes)}
    clips = []
    for number, line in read_lines(path, 'split list'):
        match = re.fullmatch(pattern, line)
        label = index.get(match[1]) if match else None
        if label is None or labelled and int(match[3]) != label + 1:
            raise ToolError(
                f'{path}:{number}: expected `{shape}` with class and number '
                f'of classInd.txt, got {line!r}'
            )
        clips.append(f'{match[1]}/{match[2]}')
    return clips


def read(
    folder: Path, num_classes: int, splits: Sequence[int]
) -> tuple[list[str], dict[str, list[str]]]:
    """Class names by index, and the clips of the lists."""
    path = folder / 'classInd.txt'
    if not path.exists():  # the archive unpacks into a folder of its own
        path = next(folder.glob('*/classInd.txt'), path)
    classes, found = read_classes(path, num_classes), {}
    for split in splits:
        for subset, prefix in (('train', 'train'), ('val', 'test')):
            path = path.with_name(f'{prefix}list{split:02d}.txt')
            clips = read_split(path, classes, labelled=subset == 'train')
            found[f'{subset}_split_{split}'] = clips
    return classes, found


main = partial(convert, 'ucf101', 101, read, __doc__, EXAMPLE)
