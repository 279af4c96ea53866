"""HMDB51: the official split files -> lists and label map.

Reads <class>_test_split<N>.txt (the folder testTrainMulti_7030_splits of
the download; lines `clip.avi code`, code 1 train, 2 test, 0 unused), finds
the videos, and writes under --out

  hmdb51_{train,val}_split_{1,2,3}_videos.txt   lines `class/clip.avi label`
  label_map.txt                                 class names by index (sorted)
  hmdb51_report.{txt,json}                      what is missing, what is left
  videos/                                       links, where the videos lie
                                                elsewhere

Videos may lie in class folders, as in the archives, or all in one folder,
with any extension.
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
)
from lgd_tools.lists.clips import Clip
from lgd_tools.lists.conversion import Conversion
from lgd_tools.lists.conversion_args import add_tree_arguments
from lgd_tools.lists.conversion_tree import convert_tree

EXAMPLE = """\
  python tools/data/hmdb51.py --annotations testTrainMulti_7030_splits \\
      --videos ~/downloads/hmdb51_org --out data/hmdb51"""

CODES = {'1': 'train', '2': 'val', '0': ''}


def find_split_files(folder: Path) -> dict[int, dict[str, Path]]:
    """Split files by split number and class, in this folder or below."""
    require_dir(folder, 'annotation folder')
    files: dict[int, dict[str, Path]] = {}
    for path in sorted(folder.rglob('*_test_split*.txt')):
        match = re.fullmatch(r'([^.].*)_test_split([0-9]{1,3})', path.stem)
        if match is None:
            continue
        of_class = files.setdefault(int(match[2]), {})
        if match[1] in of_class:
            raise ToolError(
                f'{path} and {of_class[match[1]]} are the same split file: '
                'keep one of them'
            )
        of_class[match[1]] = path
    if not files:
        raise ToolError(
            f'no <class>_test_split<N>.txt under {folder}: unpack '
            'test_train_splits.rar there'
        )
    return files


def read_split_file(
    path: Path, class_name: str, label: int
) -> tuple[dict[str, list[Clip]], Counter]:
    """Train and val clips of one class in one split, and ignored rows.

    Raises:
        ToolError: A line is not `clip.avi code`, a code is not 0, 1 or 2,
            or a clip is there with two codes; names the line.
    """
    clips: dict[str, list[Clip]] = {'train': [], 'val': []}
    codes: dict[str, str] = {}
    notes: Counter = Counter()
    for number, line in read_lines(path, 'split file'):
        where = f'{path}:{number}'
        match = re.fullmatch(r'(.*\S)\s+(\S+)', line)
        if match is None or match[2] not in CODES:
            raise ToolError(
                f'{where}: expected `clip.avi code` with code 0, 1 or 2, '
                f'got {line!r}'
            )
        # some copies of the lists hold `class/clip.avi`
        name = match[1].replace('\\', '/').removeprefix(f'{class_name}/')
        if '/' in name or name.startswith('.'):
            raise ToolError(f'{where}: {match[1]!r} is not a file name')
        code = match[2]
        if name in codes:
            if codes[name] != code:
                raise ToolError(
                    f'{where}: {name} has code {code} here and {codes[name]} '
                    'above'
                )
            notes['duplicate rows ignored'] += 1
            continue
        codes[name] = code
        if CODES[code]:
            path_name = f'{class_name}/{name}'
            clips[CODES[code]].append(Clip(path_name, label, class_name))
        else:
            notes['rows of code 0 (in neither subset)'] += 1
    return clips, notes


def read_splits(
    files: dict[int, dict[str, Path]], split: int, classes: Sequence[str]
) -> dict[str, tuple[list[Clip], Counter]]:
    """Train and val clips of all classes in one split."""
    clips: dict[str, list[Clip]] = {'train': [], 'val': []}
    ignored: Counter = Counter()
    for label, name in enumerate(classes):
        if name not in files.get(split, {}):
            raise ToolError(
                f'{name}_test_split{split}.txt is missing: unpack '
                'test_train_splits.rar again, or set --splits'
            )
        found, notes = read_split_file(files[split][name], name, label)
        for subset, items in found.items():
            clips[subset] += items
        ignored += notes
    # a row of code 0 belongs to no subset; it is counted with train
    return {
        f'train_split_{split}': (clips['train'], ignored),
        f'val_split_{split}': (clips['val'], Counter()),
    }


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        '--annotations',
        type=Path,
        required=True,
        metavar='DIR',
        help='folder of the <class>_test_split<N>.txt files',
    )
    parser.add_argument(
        '--num-classes',
        type=positive_int,
        default=51,
        metavar='N',
        help='number of classes, for a subset (default: %(default)s)',
    )
    add_tree_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    files = find_split_files(args.annotations)
    classes = sorted(
        {name for of_class in files.values() for name in of_class}
    )
    if len(classes) != args.num_classes:
        raise ToolError(
            f'{args.annotations} holds {len(classes)} classes, not '
            f'{args.num_classes}, so class indices would be wrong: unpack '
            'test_train_splits.rar again, or set --num-classes'
        )
    splits = {}
    for split in args.splits:
        splits |= read_splits(files, split, classes)
    return convert_tree(Conversion('hmdb51', args, classes), splits)
