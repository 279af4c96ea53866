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

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lgd_tools.cli import (
    ToolError,
    make_parser,
    positive_int,
    read_lines,
    require_dir,
    require_file,
)
from lgd_tools.lists.clips import Clip, name_key
from lgd_tools.lists.conversion import Conversion
from lgd_tools.lists.conversion_args import add_tree_arguments
from lgd_tools.lists.conversion_tree import convert_tree

EXAMPLE = """\
  python tools/data/ucf101.py --annotations ucfTrainTestlist \\
      --videos ~/downloads/UCF-101 --out data/ucf101"""


def find_annotations(folder: Path) -> Path:
    """The folder that holds classInd.txt: this one or one right below."""
    require_dir(folder, 'annotation folder')
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
    index = {name: i for i, name in enumerate(classes)}
    clips: dict[str, Clip] = {}
    notes: Counter = Counter()
    for number, line in read_lines(path, 'split list'):
        where, text = f'{path}:{number}', line
        if labelled:
            match = re.fullmatch(r'(.*\S)\s+([0-9]{1,6})', line)
            if match is None:
                raise ToolError(
                    f'{where}: expected `Class/clip.avi number`, got {line!r}'
                )
            text = match[1]
        parts = text.replace('\\', '/').split('/')
        if len(parts) != 2 or parts[1].startswith('.') or not parts[1]:
            raise ToolError(
                f'{where}: expected a path `Class/clip.avi`, got {text!r}'
            )
        if parts[0] not in index:
            raise ToolError(
                f'{where}: class {parts[0]!r} is not in classInd.txt'
            )
        label = index[parts[0]]
        if labelled and int(match[2]) != label + 1:
            raise ToolError(
                f'{where}: label {match[2]}, but {parts[0]} has number '
                f'{label + 1} of 1 to {len(classes)} in classInd.txt'
            )
        name = '/'.join(parts)
        if name in clips:
            notes['duplicate rows ignored'] += 1
        clips.setdefault(name, Clip(name, label, parts[0]))
    return list(clips.values()), notes


def read_both(
    folder: Path, split: int, classes: Sequence[str]
) -> dict[str, tuple[list[Clip], Counter]]:
    """Train and val clips of one split.

    Raises:
        ToolError: A clip is in both lists, or see :func:`read_split`.
    """
    train = folder / f'trainlist{split:02d}.txt'
    test = folder / f'testlist{split:02d}.txt'
    found = {
        f'train_split_{split}': read_split(train, classes, labelled=True),
        f'val_split_{split}': read_split(test, classes, labelled=False),
    }
    trained, tested = (
        {name_key(clip.name): clip.name for clip in clips}
        for clips, _ in found.values()
    )
    both = [trained[key] for key in trained if key in tested]
    if both:
        raise ToolError(
            f'{both[0]} is in {train} and in {test} ({len(both)} such '
            'clips), so the test would be of trained clips: download the '
            'lists again'
        )
    return found


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        '--annotations',
        type=Path,
        required=True,
        metavar='DIR',
        help='folder of classInd.txt, trainlist0N.txt, testlist0N.txt',
    )
    parser.add_argument(
        '--num-classes',
        type=positive_int,
        default=101,
        metavar='N',
        help='number of classes, for a subset (default: %(default)s)',
    )
    add_tree_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    folder = find_annotations(args.annotations)
    classes = read_classes(folder / 'classInd.txt', args.num_classes)
    splits = {}
    for split in args.splits:
        splits |= read_both(folder, split, classes)
    return convert_tree(Conversion('ucf101', args, classes), splits)
