"""J-HMDB: splits and boxes -> the annotation file of tubes.

Writes --out/jhmdb_tubes.json (docs/detection.md describes it) and a report.
Boxes come from one of

  --puppet-masks  folder or zip of <class>/<video>/puppet_mask.mat: MATLAB 5
                  files with part_mask, (height, width, frames), not 0 where
                  the person is. A box is tight around the mask
  --boxes         folder or zip of <class>_<video>_<frame>.txt, one line
                  `class x1 y1 x2 y2`; frame and class count from 1, classes
                  in alphabetical order; x1 y1 x2 y2 are the first and last
                  pixel of the box, counted from 1. groundtruths_jhmdb.zip
                  holds the test videos of split 1 only: give --splits 1
  --act           JHMDB-GT.pkl of the ACT detector, which holds the splits
                  too; frames count from 1, pixels from 0, both ends belong
                  to the box

and, for the first two, the splits from --annotations: folder or zip of
<class>_test_split<k>.txt with lines `<video>.avi 1` (train) or `2` (test).
Every video has one person, so one tube. The number of frames is that of the
masks, that in the pickle, or the last frame with a box file (or what --videos
or --rawframes finds).
"""

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from lgd_tools.cli import ToolError, make_parser, progress
from lgd_tools.tubes.act_pickles import read_act
from lgd_tools.tubes.convert import TubeConversion
from lgd_tools.tubes.mat_arrays import read_mat_array
from lgd_tools.tubes.source_args import add_tube_arguments, check_classes
from lgd_tools.tubes.source_files import Members
from lgd_tools.tubes.sources import (
    SourceTube,
    SourceVideo,
    Splits,
    check_name,
    names_of,
    to_edges,
)

EXAMPLE = """\
  python tools/data/jhmdb.py --annotations splits.zip \\
      --puppet-masks puppet_mask.zip --out data/jhmdb
  python tools/data/jhmdb.py --annotations splits.zip --splits 1 \\
      --boxes groundtruths_jhmdb.zip --out data/jhmdb
  python tools/data/jhmdb.py --act JHMDB-GT.pkl --out data/jhmdb"""

SUBSETS = {'1': 'train', '2': 'test'}
# 200 MB hold 2600 masks of 320x240
MAX_MASK_FILE = 200 * 10**6
# such an axis of single pixels is small, the boxes made of it are not
MAX_MASK_AXIS = 10**5


# -------------------------------------------------------------------- splits
def read_splits(path: Path) -> tuple[list[str], Splits]:
    """Class names, alphabetical, and the videos of all splits.

    Raises:
        ToolError: There are no split files, one is there twice or lacking,
            or a line is not `<video>.avi 1|2`; names the line.
    """
    members = Members(path, 'split files', '.txt')
    files: dict[str, dict[str, str]] = {}
    for name in members.names:
        stem = PurePosixPath(name).stem
        match = re.fullmatch(r'([^.].*)_test_split([0-9]{1,3})', stem)
        if match is None:
            continue
        of_class = files.setdefault(str(int(match[2])), {})
        if match[1] in of_class:
            raise ToolError(
                f'{path}: {name} and {of_class[match[1]]} are the same split '
                'file: keep one of them'
            )
        of_class[match[1]] = name
    if not files:
        raise ToolError(
            f'no <class>_test_split<N>.txt in {path}: give splits.zip of '
            'J-HMDB, or its unpacked folder'
        )
    classes = sorted(
        {name for of_class in files.values() for name in of_class}
    )
    splits: Splits = {}
    for split in sorted(files, key=int):
        splits[split] = {'train': [], 'test': []}
        for class_name in classes:
            if class_name not in files[split]:
                raise ToolError(
                    f'{path}: {class_name}_test_split{split}.txt is missing: '
                    'unpack splits.zip again'
                )
            member = files[split][class_name]
            _read_split(
                members.text(member),
                f'{path}: {member}',
                class_name,
                splits[split],
            )
    return classes, splits


def _read_split(
    text: str, where: str, class_name: str, subsets: dict[str, list[str]]
) -> None:
    codes: dict[str, str] = {}
    for number, line in enumerate(text.split('\n'), 1):
        if not line.strip():
            continue
        match = re.fullmatch(r'\s*(\S.*?)\s+([12])\s*', line)
        if match is None:
            raise ToolError(
                f'{where}:{number}: expected `<video>.avi code` with code 1 '
                f'or 2, got {line.strip()!r}'
            )
        file = match[1].replace('\\', '/').removeprefix(f'{class_name}/')
        name = check_name(f'{class_name}/{file}', f'{where}:{number}')
        if codes.setdefault(name, match[2]) != match[2]:
            raise ToolError(
                f'{where}:{number}: {file} has code {match[2]} here and '
                f'{codes[name]} above'
            )
        subsets[SUBSETS[match[2]]].append(name)


# --------------------------------------------------------------------- boxes
def read_boxes(
    path: Path,
    classes: Sequence[str],
    names: Iterable[str],
    size: tuple[int, int],
    coordinates: str,
) -> dict[str, SourceVideo]:
    """Videos from a text file a frame.

    Args:
        path: Folder or zip.
        classes: Class names; a line holds the index plus one.
        names: The videos that there are.
        size: Width and height of the pictures.
        coordinates: A key of ``tube_sources.COORDINATES``.

    Raises:
        ToolError: A file belongs to no video, a frame is there twice, or
            a file is not one line `class x1 y1 x2 y2`; names the file.
    """
    of_stem = {name.replace('/', '_', 1): name for name in names}
    members = Members(path, 'box files', '.txt', limit=10**4)
    rows: dict[str, dict[int, np.ndarray]] = {}
    for member in progress(members.names, 'reading boxes'):
        where = f'{path}: {member}'
        stem, _, digits = PurePosixPath(member).stem.rpartition('_')
        if stem not in of_stem or not re.fullmatch('[0-9]{1,9}', digits):
            raise ToolError(
                f'{where} is not <class>_<video>_<frame>.txt of a video in '
                'the splits: move it away, or give the right --annotations'
            )
        name, frame = of_stem[stem], int(digits) - 1
        frames = rows.setdefault(name, {})
        if frame in frames:
            raise ToolError(
                f'{where}: another file holds frame {frame + 1} of {name} '
                'too: keep one of them'
            )
        frames[frame] = _read_box(
            members.text(member), where, classes, name.split('/')[0]
        )
    if not rows:
        raise ToolError(f'no box files *.txt in {path}: check the path')
    videos = {}
    for name, frames in rows.items():
        order = sorted(frames)
        tube = SourceTube(
            classes.index(name.split('/')[0]),
            np.array(order),
            to_edges(np.stack([frames[i] for i in order]), coordinates),
        )
        videos[name] = SourceVideo(
            name, max(order) + 1, *size, [tube], counted=False
        )
    return videos


def _read_box(
    text: str, where: str, classes: Sequence[str], class_name: str
) -> np.ndarray:
    fields = text.split()
    if len(fields) != 5 or len(text.strip().split('\n')) != 1:
        raise ToolError(
            f'{where}: expected one line `class x1 y1 x2 y2`, got '
            f'{text.strip()[:80]!r}'
        )
    try:
        label, box = int(fields[0]), [float(x) for x in fields[1:]]
    except ValueError:
        raise ToolError(
            f'{where}: {text.strip()[:80]!r} holds something that is no number'
        ) from None
    if not 1 <= label <= len(classes) or classes[label - 1] != class_name:
        raise ToolError(
            f'{where}: class {label}, but {class_name} is number '
            f'{classes.index(class_name) + 1} of 1 to {len(classes)}'
        )
    return np.array(box)


# --------------------------------------------------------------------- masks
def read_masks(
    path: Path, classes: Sequence[str], names: Iterable[str]
) -> tuple[dict[str, SourceVideo], int]:
    """Videos from their puppet masks, and how many masks no video has.

    Raises:
        ToolError: A mask is there twice or is not readable; names it.
    """
    known = set(names)
    members = Members(path, 'puppet masks', '.mat', limit=MAX_MASK_FILE)
    videos: dict[str, SourceVideo] = {}
    unknown = 0
    masks = [
        name
        for name in members.names
        if PurePosixPath(name).name == 'puppet_mask.mat'
    ]
    if not masks:
        raise ToolError(
            f'no <class>/<video>/puppet_mask.mat in {path}: check the path'
        )
    for member in progress(masks, 'reading masks'):
        name = '/'.join(PurePosixPath(member).parts[-3:-1])
        if name not in known:
            unknown += 1
            continue
        where = f'{path}: {member}'
        if name in videos:
            raise ToolError(f'{where}: {name} is there twice: keep one')
        mask = _read_mask(members.read(member), where)
        frames, boxes = mask_boxes(mask)
        height, width, num_frames = mask.shape
        tube = SourceTube(classes.index(name.split('/')[0]), frames, boxes)
        tubes = [tube] if len(frames) else []
        videos[name] = SourceVideo(name, num_frames, width, height, tubes)
    return videos, unknown


def mask_boxes(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tight boxes around a mask.

    Args:
        mask: (H, W, F), not 0 where the person is.

    Returns:
        The frames that have any, and their (n, 4) x1 y1 x2 y2 edges: the
        first column and row, the last ones plus 1.
    """
    height, width, _ = mask.shape
    columns, rows = (mask != 0).any(0), (mask != 0).any(1)  # (W, F), (H, F)
    frames = np.flatnonzero(columns.any(0))
    columns, rows = columns[:, frames], rows[:, frames]
    boxes = (
        columns.argmax(0),
        rows.argmax(0),
        width - columns[::-1].argmax(0),
        height - rows[::-1].argmax(0),
    )
    return frames, np.stack(boxes, 1).astype(np.float64)


def _read_mask(data: bytes, where: str) -> np.ndarray:
    try:
        mask = read_mat_array(data, 'part_mask', MAX_MASK_FILE)
    except ValueError as error:
        raise ToolError(
            f'{where} is not a readable MATLAB 5 file ({error}): download it '
            'again'
        ) from None
    if mask is None:
        raise ToolError(f'{where} holds no part_mask: download it again')
    if mask.ndim == 2:  # MATLAB drops the last axis of a single frame
        mask = mask[:, :, None]
    if mask.ndim != 3 or not mask.size:
        raise ToolError(
            f'{where}: part_mask has shape {mask.shape} and {mask.dtype}, '
            'not (height, width, frames) numbers'
        )
    if max(mask.shape) > MAX_MASK_AXIS:
        raise ToolError(
            f'{where}: part_mask has shape {mask.shape}, more than '
            f'{MAX_MASK_AXIS} in an axis: download it again'
        )
    return mask


# ---------------------------------------------------------------------- main
def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        '--annotations',
        type=Path,
        metavar='PATH',
        help='folder or zip of the <class>_test_split<k>.txt files',
    )
    source = parser.add_mutually_exclusive_group(required=True)
    for name, what in (
        ('--puppet-masks', 'folder or zip of the masks'),
        ('--boxes', 'folder or zip of a text file a frame'),
        ('--act', 'JHMDB-GT.pkl; takes no --annotations'),
    ):
        source.add_argument(name, type=Path, metavar='PATH', help=what)
    parser.add_argument(
        '--splits',
        nargs='+',
        choices=('1', '2', '3'),
        help='which splits to write (default: all that there are)',
    )
    add_tube_arguments(parser, num_classes=21)
    args = parser.parse_args(argv)
    if (args.act is None) != (args.annotations is not None):
        parser.error(
            '--act holds the splits and takes no --annotations; '
            '--puppet-masks and --boxes need them'
        )
    if args.puppet_masks and args.coordinates:
        parser.error('--coordinates has no meaning for masks')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    default = {'boxes': 'pixels1', 'act': 'pixels0', 'puppet_masks': 'edges'}
    [kind] = [key for key in default if getattr(args, key) is not None]
    coordinates = args.coordinates or default[kind]
    unknown = 0
    if kind == 'act':
        content = read_act(args.act, coordinates)
        classes, splits = content.classes, content.splits
        videos = content.videos
        check_classes(classes, args.num_classes, args.act)
    else:
        classes, splits = read_splits(args.annotations)
        check_classes(classes, args.num_classes, args.annotations)
    chosen = _choose(splits, args.splits, args.act or args.annotations)
    conversion = TubeConversion(
        'jhmdb', args, classes, coordinates, background=False
    )
    names = names_of(splits)
    if kind == 'boxes':
        videos = read_boxes(args.boxes, classes, names, args.size, coordinates)
    elif kind == 'puppet_masks':
        videos, unknown = read_masks(args.puppet_masks, classes, names)
    if unknown:
        conversion.notes['masks of videos that no split names'] = unknown
    return conversion.run(chosen, videos)


def _choose(
    splits: Splits, wanted: Sequence[str] | None, path: Path
) -> Splits:
    missing = [split for split in wanted or () if split not in splits]
    if missing:
        raise ToolError(
            f'{path} holds the splits {", ".join(splits)}, not '
            f'{", ".join(missing)}: set --splits'
        )
    return {k: v for k, v in splits.items() if not wanted or k in wanted}
