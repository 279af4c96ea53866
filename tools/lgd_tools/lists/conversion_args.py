"""The command line that the converters share."""

import argparse
from pathlib import Path

from lgd_tools.cli import add_workers, non_negative_int


def add_conversion_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every converter has."""
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        metavar='DIR',
        help='data folder of the configs: lists, label map, report, links',
    )
    parser.add_argument(
        '--no-check-videos',
        action='store_true',
        help='list every annotated clip under its official name, without '
        'looking for it',
    )
    parser.add_argument(
        '--verify',
        action='store_true',
        help='also open every video (needs PyAV): decode its first frame, '
        'count its frames; check_videos.py looks deeper',
    )
    parser.add_argument(
        '--min-frames',
        type=non_negative_int,
        default=0,
        metavar='N',
        help='leave out clips of fewer frames (fewer than N - 1 flows); '
        'implies --verify',
    )
    parser.add_argument(
        '--exclude',
        type=Path,
        nargs='+',
        default=(),
        metavar='FILE',
        help='leave out the clips named here, one video a line, as in '
        'bad.txt of check_videos.py: relative to the folder of the videos; '
        'the report counts and names them, the exit code does not',
    )
    parser.add_argument(
        '--no-link',
        action='store_true',
        help='make no symbolic links: paths in the lists are then relative '
        'to the folder of the videos (set data_prefix accordingly)',
    )
    parser.add_argument(
        '--rawframes',
        type=Path,
        metavar='DIR',
        help='also write *_rawframes.txt for the frame folders under DIR '
        '(<clip>/ or <class>/<clip>/; Kinetics: DIR may hold '
        'rawframes_train/ and rawframes_val/, or train/ and val/)',
    )
    parser.add_argument(
        '--frames',
        choices=('flow', 'img'),
        default='flow',
        help='which pictures --rawframes counts: flow_x_00001.jpg and '
        'flow_y_00001.jpg, or img_00001.jpg (default: %(default)s)',
    )
    parser.add_argument(
        '--common',
        action='store_true',
        help='with --rawframes: list only clips of which both the video and '
        'the frame folder are usable, so that both lists hold the same clips',
    )
    parser.add_argument(
        '--allow-missing',
        action='store_true',
        help='exit with 0, not 1, when clips had to be left out',
    )
    add_workers(parser)


def add_tree_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of data sets of class folders and three splits."""
    parser.add_argument(
        '--videos',
        type=Path,
        metavar='DIR',
        help='folder of the videos (default: videos/ under --out)',
    )
    parser.add_argument(
        '--splits',
        type=int,
        nargs='+',
        choices=(1, 2, 3),
        default=(1, 2, 3),
        help='which splits to write (default: 1 2 3)',
    )
    add_conversion_arguments(parser)


def split_root(given: Path, split: str, stem: str) -> Path:
    """The part of a folder that holds one split, or the folder itself.

    For ``stem`` 'videos': ``given/videos_train``, ``given/train``,
    ``given``, whichever is there first.
    """
    for name in (f'{stem}_{split}', split):
        if (given / name).is_dir():
            return given / name
    return given
