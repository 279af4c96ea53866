"""UCF101-24: the corrected annotations -> the annotation file of tubes.

Writes --out/ucf101_24_tubes.json (docs/detection.md describes it), split 1,
and a report. Reads one of

  --pyannot  pyannot.pkl: a pickle of Python 2, {video: {annotations:
             [{label, sf, ef, boxes}], numf, label}}. A video is
             `<Class>/<video>`; labels count from 0 in the order of the
             folders' names; sf is the first frame, from 0, ef the one after
             the last; boxes is (ef - sf, 4) x y w h in uint8 or uint16, in
             which x + w overflows; numf is a NumPy integer
  --act      UCF101v2-GT.pkl: the same in the format of the ACT detector,
             splits included; frames count from 1; x1 y1 x2 y2 are x, y,
             x + w, y + h as they are

and for --pyannot the test videos from --test-list, a line each (`<Class>/
<video>`, with or without .avi). The others are for training, or those of
--train-list, whose lines may end in a number.

A video may have several tubes, and frames without any.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lgd_mmaction.pickles import load_values
from lgd_tools.cli import ToolError, make_parser, read_lines
from lgd_tools.tubes.act_pickles import read_act
from lgd_tools.tubes.convert import TubeConversion
from lgd_tools.tubes.source_args import add_tube_arguments, check_classes
from lgd_tools.tubes.sources import (
    SourceTube,
    SourceVideo,
    Splits,
    check_name,
    numeric_rows,
    to_edges,
    whole_number,
)

EXAMPLE = """\
  python tools/data/ucf101_24.py --pyannot pyannot.pkl \\
      --test-list testlist01.txt --out data/ucf101_24
  python tools/data/ucf101_24.py --act UCF101v2-GT.pkl --out data/ucf101_24"""


def read_pyannot(
    path: Path, size: tuple[int, int], coordinates: str
) -> tuple[list[str], dict[str, SourceVideo]]:
    """Class names by label, and the videos of pyannot.pkl.

    Args:
        path: The pickle.
        size: Width and height of the pictures.
        coordinates: A key of ``tube_sources.COORDINATES``, of x y x+w y+h.

    Raises:
        ToolError: It is no such file, or labels do not fit the folders;
            names the video.
    """
    content = load_values(path, 'annotation pickle')
    if not isinstance(content, dict) or not content:
        raise ToolError(
            f'{path} is not a dict of videos: give pyannot.pkl, or --act for '
            "a pickle in ACT's format"
        )
    if 'gttubes' in content:
        raise ToolError(f"{path} is in ACT's format: give it to --act")
    videos: dict[str, SourceVideo] = {}
    folder_of: dict[int, str] = {}
    for key, value in content.items():
        name = check_name(key, str(path))
        if name in videos:
            raise ToolError(f'{path}: {name} is there twice')
        where = f'{path}: {name}'
        try:
            numbers = value['numf'], value['label']
            annotations = list(value['annotations'])
        except (KeyError, TypeError, IndexError):
            raise ToolError(
                f'{where} lacks annotations, numf or label: download the '
                'file again'
            ) from None
        frames = whole_number(numbers[0], f'{where}: numf')
        if frames < 1:
            raise ToolError(f'{where} has {frames} frames')
        labels = [whole_number(numbers[1], f'{where}: label')]
        video = SourceVideo(name, frames, *size)
        for tube in annotations:
            video.tubes.append(_read_tube(tube, where, coordinates))
            labels.append(video.tubes[-1].label)
        folder = name.split('/')[0]
        for label in labels:
            if folder_of.setdefault(label, folder) != folder:
                raise ToolError(
                    f'{where} has label {label}, which is '
                    f'{folder_of[label]} elsewhere: the labels do not fit '
                    'the folders'
                )
        videos[name] = video
    return _class_names(folder_of, path), videos


def _read_tube(tube: Any, where: str, coordinates: str) -> SourceTube:
    try:
        label, start, stop = (
            whole_number(tube[key], f'{where}: {key} of a tube')
            for key in ('label', 'sf', 'ef')
        )
        boxes = tube['boxes']
    except (KeyError, TypeError, IndexError):
        raise ToolError(
            f'{where} has a tube without label, sf, ef or boxes: download '
            'the file again'
        ) from None
    boxes = numeric_rows(boxes, 4, where)
    if stop - start != len(boxes):
        raise ToolError(
            f'{where} has a tube of {len(boxes)} boxes from frame {start} '
            f'to before {stop}: their numbers do not fit'
        )
    corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    return SourceTube(
        label, start + np.arange(len(boxes)), to_edges(corners, coordinates)
    )


def _class_names(folder_of: dict[int, str], path: Path) -> list[str]:
    labels = sorted(folder_of)
    names = [folder_of[label] for label in labels]
    if labels != list(range(len(labels))) or len(set(names)) < len(names):
        pairs = ', '.join(f'{k} {v}' for k, v in sorted(folder_of.items()))
        raise ToolError(
            f'{path}: the labels are not 0 to {len(labels) - 1}, one for each '
            f'folder: {pairs[:300]}'
        )
    return names


def read_list(path: Path, videos: dict[str, SourceVideo]) -> list[str]:
    """The videos of a list; a number after the name is ignored.

    Raises:
        ToolError: A line is no video of the annotations; names it.
    """
    names = []
    for number, line in read_lines(path, 'video list'):
        where = f'{path}:{number}'
        name = check_name(re.sub(r'\s+[0-9]+$', '', line), where)
        if name not in videos:
            raise ToolError(
                f'{where}: {name} is not in the annotations: give the list '
                'that comes with them, which leaves out what they lack'
            )
        names.append(name)
    if not names:
        raise ToolError(f'video list {path} is empty')
    return names


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    source = parser.add_mutually_exclusive_group(required=True)
    for name, what in (
        ('--pyannot', 'pyannot.pkl; needs --test-list'),
        ('--act', 'UCF101v2-GT.pkl; takes no lists'),
    ):
        source.add_argument(name, type=Path, metavar='FILE', help=what)
    parser.add_argument(
        '--test-list',
        type=Path,
        metavar='FILE',
        help='testlist01.txt, a video a line',
    )
    parser.add_argument(
        '--train-list',
        type=Path,
        metavar='FILE',
        help='the training videos (default: all that are not in the test '
        'list)',
    )
    add_tube_arguments(parser, num_classes=24)
    args = parser.parse_args(argv)
    if args.act and (args.test_list or args.train_list):
        parser.error('--act holds the splits and takes no lists')
    if args.pyannot and args.test_list is None:
        parser.error('--pyannot needs --test-list')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    coordinates = args.coordinates or 'edges'
    if args.act:
        content = read_act(args.act, coordinates)
        classes, videos = content.classes, content.videos
        splits: Splits = {'1': content.splits['1']}
    else:
        classes, videos = read_pyannot(args.pyannot, args.size, coordinates)
        test = read_list(args.test_list, videos)
        if args.train_list:
            train = read_list(args.train_list, videos)
        else:
            tested = set(test)
            train = [name for name in videos if name not in tested]
        splits = {'1': {'train': sorted(train), 'test': test}}
    check_classes(classes, args.num_classes, args.act or args.pyannot)
    conversion = TubeConversion(
        'ucf101_24', args, classes, coordinates, background=True
    )
    return conversion.run(splits, videos)
