"""The command of data sets of class folders with three official splits."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lgd_tools.cli import make_parser, positive_int, require_dir
from lgd_tools.lists.clips import Clip, VideoIndex
from lgd_tools.lists.conversion import Conversion, add_conversion_arguments

Splits = dict[str, list[Clip]]  # of 'train_split_1', 'val_split_1' ...


def convert(
    name: str,
    num_classes: int,
    read: Callable[[Path, int, Sequence[int]], tuple[list[str], Splits]],
    description: str,
    example: str,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse the command line, read the annotations, list ``<class>/<clip>``.

    Args:
        name: Start of the file names.
        num_classes: Of the whole data set.
        read: (annotation folder, number of classes, numbers of the splits)
            to the class names by index, and the splits.
        description: For ``--help``.
        example: For ``--help``.
        argv: The command line.
    """
    parser = make_parser(description, example)
    add = parser.add_argument
    # fmt: off
    add('--annotations', type=Path, required=True, metavar='DIR',
        help='folder of the annotation files named above')
    add('--num-classes', type=positive_int, default=num_classes, metavar='N',
        help='number of classes, for a subset (default: %(default)s)')
    add('--videos', type=Path, metavar='DIR',
        help='folder of the videos (default: videos/ under --out)')
    add('--splits', type=int, nargs='+', choices=(1, 2, 3),
        default=(1, 2, 3),
        help='which splits to write (default: 1 2 3)')
    # fmt: on
    add_conversion_arguments(parser)
    args = parser.parse_args(argv)

    folder = require_dir(args.annotations, 'annotation folder')
    classes, splits = read(folder, args.num_classes, args.splits)
    root = args.videos or args.out / 'videos'
    videos = None if args.no_check_videos else VideoIndex(root)
    conversion = Conversion(name, args, classes)
    for split, clips in splits.items():
        for clip in clips:
            clip.root = root
            clip.path = videos and videos.find(clip)
        conversion.add_split(split, clips, frames_root=args.rawframes)
    return conversion.finish()
