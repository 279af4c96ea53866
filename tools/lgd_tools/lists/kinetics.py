"""Kinetics-400 / Kinetics-600: official csv files -> lists and label map.

Reads csv files with the columns label, youtube_id, time_start, time_end,
split (and is_cc, which is ignored; test files have no label), finds the
clips, and writes under --out

  kinetics400_{train,val}_list_videos.txt   lines `path label`
  label_map.txt                             class names by index (sorted)
  kinetics400_report.{txt,json}             what is missing and what is left
  videos_{train,val}/                       links, where the clips lie
                                            elsewhere or have blanks in names

Clips may be named <id>_000017_000027, <id>_17_27 or <id>, with any video
extension, all in one folder or in one folder a class (`air drumming` or
`air_drumming`).
"""

import argparse
import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lgd_tools.cli import (
    ToolError,
    list_videos,
    make_parser,
    positive_int,
    read_label_map,
    read_text,
)
from lgd_tools.lists.clips import Clip, preference, safe_name
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


@dataclass(frozen=True)
class Row:
    """One line of an official csv file; times in whole seconds."""

    label: str  # '' in test files
    youtube_id: str
    start: int
    end: int
    split: str
    where: str  # file:line

    @property
    def key(self) -> tuple[str, int, int]:
        return self.youtube_id, self.start, self.end

    @property
    def name(self) -> str:
        """The official file name."""
        return f'{self.youtube_id}_{self.start:06d}_{self.end:06d}.mp4'


# ------------------------------------------------------------- annotations
def read_csv(path: Path) -> Iterator[Row]:
    """The rows of an official csv file.

    Raises:
        ToolError: A column or a value is missing or wrong; names the line.
    """
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


def parse_row(where: str, row: dict) -> Row:
    """Check one line of a csv file, fields by column."""
    if None in row or None in row.values():
        raise ToolError(
            f'{where}: more or fewer fields than the header has: quote '
            'names that hold commas'
        )
    row = {column: text.strip() for column, text in row.items()}
    split = SPLITS.get(row['split'].lower())
    if split is None:
        raise ToolError(
            f'{where}: split {row["split"]!r} is none of train, val, test'
        )
    label = row.get('label', '')
    if not label and split != 'test':
        raise ToolError(f'{where}: a {split} clip needs a label')
    if '..' in re.split(r'[/\\]', label) or label[:1] in ('/', '\\'):
        raise ToolError(f'{where}: {label!r} is a path, not a class')
    youtube_id = row['youtube_id']
    if not re.fullmatch(r'(?!#NAME\?)[^\s/\\.][^\s/\\]*', youtube_id):
        raise ToolError(
            f'{where}: {youtube_id!r} is not a YouTube id (spreadsheet '
            'programs write #NAME? for one that begins with "-"): download '
            'the csv again'
        )
    times = []
    for column in ('time_start', 'time_end'):
        match = re.fullmatch(r'([0-9]{1,6})(\.0*)?', row[column])
        if match is None:
            raise ToolError(
                f'{where}: {column} {row[column]!r} is not a whole number '
                'of seconds'
            )
        times.append(int(match[1]))
    return Row(label, youtube_id, *times, split, where)


def read_rows(
    paths: Sequence[Path],
) -> tuple[dict[str, list[Row]], dict[str, Counter]]:
    """Rows by split without repetitions, and what was ignored by split.

    The same clip twice in a split counts once; with two labels it is not
    used, nor is a training clip that is also a validation or test clip.
    """
    found: dict[str, dict[tuple, Row]] = defaultdict(dict)
    notes: dict[str, Counter] = defaultdict(Counter)
    conflicts = set()
    for row in (row for path in paths for row in read_csv(path)):
        first = found[row.split].setdefault(row.key, row)
        if first.label != row.label:
            conflicts.add((row.split, row.key))
        elif first is not row:
            notes[row.split]['duplicate rows ignored'] += 1
    for split, key in conflicts:
        del found[split][key]
        notes[split]['clips with two labels ignored'] += 1
    for split in ('val', 'test'):
        for key in found['train'].keys() & found[split].keys():
            del found['train'][key]
            notes['train'][f'clips that are {split} clips too ignored'] += 1
    if not any(found.values()):
        raise ToolError(
            f'no usable rows in {", ".join(map(str, paths))}: download the '
            'csv again'
        )
    return {s: list(r.values()) for s, r in found.items() if r}, notes


def class_index(
    rows: Sequence[Row], label_map: Path | None, num_classes: int
) -> list[str]:
    """Class names in index order: the label map's, else sorted.

    Raises:
        ToolError: A label is not in the label map, or there are not
            ``num_classes`` names, which would shift the indices.
    """
    if label_map is not None:
        names = read_label_map(label_map)
        known = {'', *names}
        for row in rows:
            if row.label not in known:
                raise ToolError(
                    f'{row.where}: label {row.label!r} is not in {label_map}'
                )
    else:
        names = sorted({row.label for row in rows if row.label})
    if len(names) != num_classes:
        source = label_map or 'the csv files'
        raise ToolError(
            f'{source} hold {len(names)} classes, not {num_classes}, so '
            'class indices would be wrong: add the csv files or the '
            '--label-map with all classes, or set --num-classes for a subset'
        )
    return names


# ------------------------------------------------------------------ finding
def class_key(name: str) -> str:
    """Class names as folders spell them: any case, any separator."""
    return re.sub(r'[^a-z0-9]+', ' ', name.casefold()).strip()


class KineticsFinder:
    """Finds clips under a folder, by id and time range or by id alone.

    Args:
        root: The folder to search.
        rows: Every row whose clip may lie there. A file named by the id
            alone can only be used where one row has that id (or one row
            of the file's class folder).
    """

    def __init__(self, root: Path, rows: Sequence[Row]) -> None:
        self.root = root
        self._of_id: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            self._of_id[row.youtube_id].append(row)
        self._exact: dict[tuple, list[str]] = defaultdict(list)
        self._by_id: dict[str, list[str]] = defaultdict(list)
        for path in list_videos(root):
            stem = Path(path).stem
            if stem in self._of_id:  # ids may look like a time range
                self._by_id[stem].append(path)
            elif match := re.fullmatch(r'(.+)_(\d{1,6})_(\d{1,6})', stem):
                key = match[1], int(match[2]), int(match[3])
                self._exact[key].append(path)

    def find(self, row: Row) -> tuple[str | None, str]:
        """``(path, '')``, or ``(None, what there is to say)``."""
        key = class_key(row.label)

        def fits(path: str) -> bool:
            return class_key(Path(path).parent.name) == key

        paths = self._exact.get(row.key)
        if not paths:
            paths = self._by_id.get(row.youtube_id, [])
            rows = self._of_id[row.youtube_id]
            if paths and len(rows) > 1:
                one = [class_key(r.label) for r in rows].count(key) == 1
                paths = [p for p in paths if one and fits(p)]
                if not paths:
                    return None, (
                        f'{len(rows)} clips have this id, and the file name '
                        'has no time range'
                    )
        if len(paths) < 2:  # nearly always; spares looking at the disk
            return (paths[0] if paths else None), ''

        def order(path: str) -> tuple:
            return not fits(path), preference(self.root, path)

        return min(paths, key=order), ''


def clip_stems(clip: Clip, rows_of_id: Counter) -> list[str]:
    """Names that the video or the frame folder of a clip may have.

    Args:
        clip: The clip.
        rows_of_id: How many clips of the folder have an id; the id alone
            names a clip only where it is one.
    """
    stem = Path(clip.name).stem
    names = [str(Path(clip.path).with_suffix(''))] if clip.path else []
    names += [safe_name(name) for name in names]
    names += [stem]
    if clip.class_name:
        folders = (clip.class_name, clip.class_name.replace(' ', '_'))
        names += [f'{folder}/{stem}' for folder in folders]
    youtube_id = stem.rsplit('_', 2)[0]
    return [*names, youtube_id] if rows_of_id[youtube_id] < 2 else names


# --------------------------------------------------------------------- main
def split_root(given: Path, split: str, stem: str) -> Path:
    """The part of a folder that holds one split, or the folder itself.

    For ``stem`` 'videos': ``given/videos_train``, ``given/train``,
    ``given``, whichever is there first.
    """
    parts = (given / f'{stem}_{split}', given / split)
    return next((part for part in parts if part.is_dir()), given)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
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
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    rows, notes = read_rows(args.csv)
    names = class_index(
        [row for split in rows.values() for row in split],
        args.label_map,
        args.num_classes or args.version,
    )
    index = {name: i for i, name in enumerate(names)}
    conversion = Conversion(f'kinetics{args.version}', args, names)

    def by_root(given: Path | None, stem: str) -> tuple[dict, dict]:
        """Folder of each split, and all the rows of each folder."""
        roots = {s: given and split_root(given, s, stem) for s in rows}
        shared = defaultdict(list)
        for split, root in roots.items():
            shared[root] += rows[split]
        return roots, shared

    roots, rows_under = by_root(args.videos or args.out, 'videos')
    frames, frame_rows = by_root(args.rawframes, 'rawframes')
    finders = {}
    if not args.no_check_videos:
        for root, shared in rows_under.items():
            finders[root] = KineticsFinder(root, shared)
    for split in (s for s in ('train', 'val', 'test') if s in rows):
        root = roots[split]
        clips = []
        for row in rows[split]:
            label = index.get(row.label)
            clip = Clip(row.name, label, row.label, root)
            if finders:
                clip.path, clip.problem = finders[root].find(row)
            clips.append(clip)
        rows_of_id = Counter(r.youtube_id for r in frame_rows[frames[split]])
        conversion.add_split(
            f'{split}_list',
            clips,
            notes[split],
            partial(clip_stems, rows_of_id=rows_of_id),
            frames[split],
            f'_{split}',
        )
    return conversion.finish()
