"""The command of data sets of class folders with three official splits."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lgd_tools.cli import make_parser, positive_int, require_dir
from lgd_tools.lists.clips import Clip
from lgd_tools.lists.conversion import Conversion, add_conversion_arguments


def convert(
    name: str,
    num_classes: int,
    read: Callable[[Path, int, Sequence[int]], tuple[list, dict[str, list]]],
    description: str,
    example: str,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse the command line, read the annotations, list the clips.

    ``read`` makes of the annotation folder, the number of classes and the
    numbers of the splits the class names by index, and the clips,
    ``<class>/<clip>``, of 'train_split_1', 'val_split_1' ...
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
    conversion = Conversion(name, args, classes)
    for split, names in splits.items():
        pairs = [(s, s.partition('/')[0]) for s in dict.fromkeys(names)]
        clips = [Clip(s, classes.index(label), label) for s, label in pairs]
        conversion.find(clips, args.videos or args.out / 'videos')
        conversion.add_split(split, clips, frames_root=args.rawframes)
    return conversion.finish()
