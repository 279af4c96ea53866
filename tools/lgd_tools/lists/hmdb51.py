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

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lgd_tools.cli import ToolError, read_lines
from lgd_tools.lists.clips import Clip
from lgd_tools.lists.official_splits import Splits, convert

EXAMPLE = """\
  python tools/data/hmdb51.py --annotations testTrainMulti_7030_splits \\
      --videos ~/downloads/hmdb51_org --out data/hmdb51"""

SUBSETS = {'1': 'train', '2': 'val'}  # by code; 0: in neither


def find_split_files(folder: Path) -> dict[int, dict[str, Path]]:
    """Split files by split number and class, in this folder or below."""
    files: dict[int, dict[str, Path]] = {}
    for path in sorted(folder.rglob('*_test_split*.txt')):
        match = re.fullmatch(r'([^.].*)_test_split([0-9]{1,3})', path.stem)
        if match is None:
            continue
        of_class = files.setdefault(int(match[2]), {})
        if of_class.setdefault(match[1], path) != path:
            raise ToolError(
                f'{path} and {of_class[match[1]]} are the same split file: '
                'keep one of them'
            )
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
        ToolError: A line is not `clip.avi code` with code 0, 1 or 2, or a
            clip is there with two codes; names the line.
    """
    codes: dict[str, str] = {}
    notes: Counter = Counter()
    for number, line in read_lines(path, 'split file'):
        match = re.fullmatch(r'(.*\S)\s+([012])', line)
        # some copies of the lists hold `class/clip.avi`
        name = match[1].replace('\\', '/') if match else '/'
        name = name.removeprefix(f'{class_name}/')
        if '/' in name or name.startswith('.'):
            raise ToolError(
                f'{path}:{number}: expected `clip.avi code` with code 0, 1 '
                f'or 2, got {line!r}'
            )
        if name in codes and codes[name] != match[2]:
            raise ToolError(
                f'{path}:{number}: {name} has code {match[2]} here and '
                f'{codes[name]} above: download the file again'
            )
        notes['duplicate rows ignored'] += name in codes
        codes[name] = match[2]
    clips: dict[str, list[Clip]] = {'train': [], 'val': []}
    for name, code in codes.items():
        if code in SUBSETS:
            clip = Clip(f'{class_name}/{name}', label, class_name)
            clips[SUBSETS[code]].append(clip)
        else:
            notes['rows of code 0 (in neither subset)'] += 1
    return clips, +notes


def read(
    folder: Path, num_classes: int, splits: Sequence[int]
) -> tuple[list[str], Splits]:
    """Class names by index, and the clips of the splits."""
    files = find_split_files(folder)
    classes = sorted(
        {name for of_class in files.values() for name in of_class}
    )
    if len(classes) != num_classes:
        raise ToolError(
            f'{folder} holds {len(classes)} classes, not {num_classes}, so '
            'class indices would be wrong: unpack test_train_splits.rar '
            'again, or set --num-classes'
        )
    found: Splits = {}
    for split in splits:
        # a row of code 0 belongs to no subset; it is counted with train
        train, notes = found[f'train_split_{split}'] = [], Counter()
        val, _ = found[f'val_split_{split}'] = [], Counter()
        for label, name in enumerate(classes):
            if name not in files.get(split, {}):
                raise ToolError(
                    f'{name}_test_split{split}.txt is missing: unpack '
                    'test_train_splits.rar again, or set --splits'
                )
            clips, ignored = read_split_file(files[split][name], name, label)
            train += clips['train']
            val += clips['val']
            notes += ignored
    return classes, found


main = partial(convert, 'hmdb51', 51, read, __doc__, EXAMPLE)
