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

and for --pyannot the test videos from --test-list, testlist01.txt, a line
each: `<Class>/<video>`, with or without .avi. The others are for training.

A video may have several tubes, and frames without any.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lgd_mmaction.detection.annotations import TubeAnnotations, TubeVideo
from lgd_mmaction.pickles import load_values
from lgd_tools.cli import ToolError, make_parser, read_lines
from lgd_tools.tubes.conversion import Conversion, add_arguments
from lgd_tools.tubes.raw_tubes import (
    COORDINATES,
    RawTube,
    read_act,
    rows_of,
    video_name,
    well_formed,
    whole,
)

EXAMPLE = """\
  python tools/data/ucf101_24.py --pyannot pyannot.pkl \\
      --test-list testlist01.txt --out data/ucf101_24
  python tools/data/ucf101_24.py --act UCF101v2-GT.pkl --out data/ucf101_24"""


def read_pyannot(
    path: Path, size: tuple[int, int], coordinates: str
) -> tuple[tuple[str, ...], dict[str, TubeVideo]]:
    """Class names by label, and the videos, of this width and height.

    The coordinates are those of x y x+w y+h.
    """
    content = load_values(path, 'annotation pickle')
    videos: dict[str, TubeVideo] = {}
    pairs = set()
    with well_formed(f'{path}, as pyannot.pkl,'):
        for name, video in content.items():
            with well_formed(f'{path}: {name}'):
                folder = video_name(name).partition('/')[0]
                tubes = [_tube(t, coordinates) for t in video['annotations']]
                pairs.add((whole(video['label']), folder))
                pairs |= {(tube.label, folder) for tube in tubes}
                frames = whole(video['numf'])
                videos[name] = TubeVideo(name, frames, *size, tuple(tubes))
        labels, classes = zip(*sorted(pairs), strict=True)
        if list(labels) != list(range(len(set(classes)))):
            raise ValueError(f'labels do not fit the folders: {pairs}')
    return classes, videos


def _tube(tube: dict, coordinates: str) -> RawTube:
    boxes = rows_of(tube['boxes'], 4)
    start, stop = whole(tube['sf']), whole(tube['ef'])
    if stop - start != len(boxes):
        raise ValueError(f'{len(boxes)} boxes in frames {start}..{stop - 1}')
    boxes[:, 2:] += boxes[:, :2]
    edges = boxes + COORDINATES[coordinates]
    return RawTube(whole(tube['label']), np.arange(start, stop), edges)


def read_list(path: Path) -> list[str]:
    """The videos of a list, one a line; ToolError where a line names none."""
    names = []
    for number, line in read_lines(path, 'video list'):
        with well_formed(f'{path}:{number}'):
            names.append(video_name(line))
    return names


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--pyannot', type=Path, metavar='FILE')
    source.add_argument('--act', type=Path, metavar='FILE')
    parser.add_argument('--test-list', type=Path, metavar='FILE')
    add_arguments(parser, num_classes=24)
    args = parser.parse_args(argv)
    if bool(args.pyannot) != bool(args.test_list):
        parser.error('--pyannot needs --test-list, --act holds the splits')
    coordinates = args.coordinates or 'edges'
    if args.act:
        raw = read_act('ucf101_24', args.act, coordinates)
    else:
        classes, videos = read_pyannot(args.pyannot, args.size, coordinates)
        test = read_list(args.test_list)
        if unknown := set(test) - videos.keys():
            raise ToolError(
                f'{args.pyannot} does not hold {min(unknown)}: give the list '
                'that comes with it, which leaves out what it lacks'
            )
        train = sorted(videos.keys() - set(test))
        splits = {'1': {'train': train, 'test': test}}
        raw = TubeAnnotations('ucf101_24', classes, splits, videos)
    return Conversion(raw, args, untrimmed=True).run()
