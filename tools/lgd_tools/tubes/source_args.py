"""The command line that ``jhmdb.py`` and ``ucf101_24.py`` share."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lgd_tools.cli import ToolError, add_workers, parse_size, positive_int
from lgd_tools.tubes.sources import COORDINATES


def add_tube_arguments(
    parser: argparse.ArgumentParser, num_classes: int
) -> None:
    """Add what both converters take."""
    add = parser.add_argument
    add(
        '--out',
        type=Path,
        required=True,
        metavar='DIR',
        help='data folder of the configs: the annotation file and a report',
    )
    add(
        '--size',
        type=parse_size,
        default=(320, 240),
        metavar='WxH',
        help='size of the pictures that the boxes were drawn on, where the '
        'source does not tell (default: 320x240)',
    )
    add(
        '--coordinates',
        choices=COORDINATES,
        help='how to read the numbers of a box, instead of as the table in '
        'docs/detection.md says: edges; first and last pixel, counted from 0 '
        '(pixels0) or from 1 (pixels1)',
    )
    add(
        '--videos',
        type=Path,
        metavar='DIR',
        help='open every video, compare its number of frames, and report '
        'what is missing',
    )
    add(
        '--rawframes',
        type=Path,
        metavar='DIR',
        help='likewise for folders of pictures, <class>/<video>/00001.png or '
        '.jpg',
    )
    add(
        '--strict',
        action='store_true',
        help='stop at a box that would be clipped or dropped',
    )
    add(
        '--split-gaps',
        action='store_true',
        help='make two tubes of one that lacks boxes in between; the default '
        'is to stop and name it',
    )
    add(
        '--allow-missing',
        action='store_true',
        help='exit with 0, not 1, when something was left out or is missing',
    )
    add(
        '--overwrite',
        action='store_true',
        help='replace the annotation file of an earlier run',
    )
    add(
        '--num-classes',
        type=positive_int,
        default=num_classes,
        metavar='N',
        help='number of classes, for a subset (default: %(default)s)',
    )
    add_workers(parser)


def out_file(dataset: str, args: argparse.Namespace) -> Path:
    """The annotation file to write; ToolError where it is there already."""
    path = args.out / f'{dataset}_tubes.json'
    if path.exists() and not args.overwrite:
        raise ToolError(
            f'{path} exists: give --overwrite to replace it, or another --out'
        )
    return path


def check_classes(
    classes: Sequence[str], num_classes: int, path: Path
) -> None:
    """ToolError where a source has another number of classes."""
    if len(classes) != num_classes:
        raise ToolError(
            f'{path} holds {len(classes)} classes, not {num_classes}, so '
            'class indices would be wrong: download it again, or set '
            '--num-classes for a subset'
        )
