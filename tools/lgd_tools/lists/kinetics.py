"""Kinetics-400 / Kinetics-600: official csv files -> lists and label map.

Reads csv files with the columns label, youtube_id, time_start, time_end,
split (and is_cc, which is ignored; test files have no label), finds the
clips, and writes under --out

  kinetics400_{train,val}_list_videos.txt   lines `path label`
  label_map.txt                             class names by index (sorted)
  kinetics400_report.{txt,json}             what is missing and what is left
  videos_{train,val}/                       links, where the clips lie
                                            elsewhere or have blanks in names

Clips may be named <id>_000017_000027 or <id>_17_27, with any video extension,
all in one folder or in one folder a class (`air drumming` or `air_drumming`).
"""

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from lgd_tools.cli import (
    ToolError,
    make_parser,
    positive_int,
    read_label_map,
    read_text,
)
from lgd_tools.lists.clips import Clip
from lgd_tools.lists.conversion import Conversion, add_conversion_arguments

COLUMNS = ('youtube_id', 'time_start', 'time_end', 'split')
SPLITS = dict(
    train='train', val='val', validate='val', validation='val', test='test'
)
EXAMPLE = """\
  python tools/data/kinetics.py --version 400 \\
      --csv train.csv val.csv --videos ~/downloads/k400 \\
      --out data/kinetics400
--videos is searched for train/ and val/ (or videos_train/, videos_val/);
without them it holds both splits."""


# ------------------------------------------------------------- annotations
def read_csv(path: Path) -> Iterator[tuple[str, str, str]]:
    """Split, official file name and class ('' in test files) of every row."""
    text = io.StringIO(read_text(path, 'csv file'), newline='')
    reader = csv.DictReader(text, strict=True)
    try:
        header = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in COLUMNS if name not in header]
        if missing and header:
            raise ToolError(
                f'{path}: column {", ".join(missing)} is missing, the first '
                f'line is {",".join(header)!r}: use the official csv with '
                'its header'
            )
        reader.fieldnames = header
        for row in reader:
            yield parse_row(f'{path}:{reader.line_num}', row)
    except csv.Error as error:
        raise ToolError(
            f'{path}:{reader.reader.line_num}: not a valid csv line '
            f'({error}): download the file again'
        ) from None


def parse_row(where: str, row: dict) -> tuple[str, str, str]:
    """Split, official file name and class of one line of a csv file."""
    if None in row or None in row.values():
        raise ToolError(
            f'{where}: more or fewer fields than the header has: quote '
            'names that hold commas'
        )
    row = {column: text.strip() for column, text in row.items()}
    split, label = SPLITS.get(row['split'].lower()), row.get('label', '')
    if split is None:
        raise ToolError(
            f'{where}: split {row["split"]!r} is none of train, val, test'
        )
    if not label and split != 'test':
        raise ToolError(f'{where}: a {split} clip needs a label')
    youtube_id = row['youtube_id']
    # spreadsheet programs write #NAME? for one that begins with '-'
    if not re.fullmatch(r'(?!#NAME\?)[^\s/\\.][^\s/\\]*', youtube_id):
        raise ToolError(f'{where}: {youtube_id!r} is not a YouTube id')
    times = []
    for column in ('time_start', 'time_end'):
        match = re.fullmatch(r'([0-9]{1,6})(\.0*)?', row[column])
        if match is None:
            raise ToolError(
                f'{where}: {column} {row[column]!r} is not a whole number '
                'of seconds'
            )
        times.append(int(match[1]))
    return split, '{}_{:06d}_{:06d}.mp4'.format(youtube_id, *times), label


def read_rows(
    paths: Sequence[Path],
) -> tuple[dict[str, dict[str, str]], dict[str, Counter]]:
    """Classes by split and file name, and what was ignored by split.

    A clip that stands twice in a split counts once; with two labels it is not
    used, nor is a training clip that is also a validation or test clip.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    notes: dict[str, Counter] = defaultdict(Counter)
    conflicts = set()
    for split, name, label in chain.from_iterable(map(read_csv, paths)):
        if name not in found[split]:
            found[split][name] = label
        elif found[split][name] == label:
            notes[split]['duplicate rows ignored'] += 1
        else:
            conflicts.add((split, name))
    for split, name in conflicts:
        del found[split][name]
        notes[split]['clips with two labels ignored'] += 1
    for split in ('val', 'test'):
        for name in found['train'].keys() & found[split].keys():
            del found['train'][name]
            notes['train'][f'clips that are {split} clips too ignored'] += 1
    if not any(found.values()):
        raise ToolError(
            f'no usable rows in {", ".join(map(str, paths))}: download the '
            'csv again'
        )
    return {split: rows for split, rows in found.items() if rows}, notes


def class_names(
    labels: set[str], label_map: Path | None, num_classes: int
) -> list[str]:
    """Class names in index order: the label map's, else sorted."""
    names = read_label_map(label_map) if label_map else sorted(labels)
    if unknown := labels - set(names):
        raise ToolError(f'label {min(unknown)!r} is not in {label_map}')
    if len(names) != num_classes:
        source = label_map or 'the csv files'
        raise ToolError(
            f'{source} hold {len(names)} classes, not {num_classes}, so '
            'class indices would be wrong: add the csv files or the '
            '--label-map with all classes, or set --num-classes for a subset'
        )
    return names


# ------------------------------------------------------------------ finding
def clip_key(stem: str) -> tuple | str:
    """A file name as it is compared: leading zeros do not count."""
    match = re.fullmatch(r'(.+)_(\d{1,6})_(\d{1,6})', stem)
    return (match[1], int(match[2]), int(match[3])) if match else stem


def split_root(given: Path | None, split: str, stem: str) -> Path | None:
    """The part of a folder that holds one split, or the folder itself.

    For ``stem`` 'videos': ``given/videos_train``, ``given/train``,
    ``given``, whichever is there first.
    """
    if given is None:
        return None
    parts = (given / f'{stem}_{split}', given / split)
    return next((part for part in parts if part.is_dir()), given)


# --------------------------------------------------------------------- main
def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('--version', type=int, choices=(400, 600), required=True)
    add('--csv', type=Path, nargs='+', required=True, metavar='FILE',
        help='official csv files')
    add('--videos', type=Path, metavar='DIR', help='default: --out')
    add('--label-map', type=Path, metavar='FILE', help='class names by '
        'index, for csv files that lack classes or labels (test)')
    add('--num-classes', type=positive_int, metavar='N',
        help='number of classes of a subset (default: --version)')
    # fmt: on
    add_conversion_arguments(parser)
    args = parser.parse_args(argv)
    rows, notes = read_rows(args.csv)
    labels = {label for split in rows.values() for label in split.values()}
    count = args.num_classes or args.version
    names = class_names(labels - {''}, args.label_map, count)
    index = {name: i for i, name in enumerate(names)}
    conversion = Conversion(f'kinetics{args.version}', args, names)
    for split in (s for s in ('train', 'val', 'test') if s in rows):
        pairs = rows[split].items()
        clips = [Clip(name, index.get(label), label) for name, label in pairs]
        root = split_root(args.videos or args.out, split, 'videos')
        conversion.find(clips, root, clip_key)
        frames = split_root(args.rawframes, split, 'rawframes')
        conversion.add_split(
            f'{split}_list', clips, notes[split], frames, f'_{split}'
        )
    return conversion.finish()
