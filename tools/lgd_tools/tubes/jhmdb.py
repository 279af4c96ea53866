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
finds).
"""

import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from lgd_mmaction.detection.annotations import TubeAnnotations, TubeVideo
from lgd_tools.cli import ToolError, make_parser, progress
from lgd_tools.jobs import Job, run_once
from lgd_tools.split_files import members_of, read_split_files
from lgd_tools.tubes.conversion import Conversion, add_arguments
from lgd_tools.tubes.raw_tubes import (
    COORDINATES,
    RawTube,
    names_of,
    read_act,
    well_formed,
)

EXAMPLE = """\
  python tools/data/jhmdb.py --annotations splits.zip \\
      --puppet-masks puppet_mask.zip --out data/jhmdb
  python tools/data/jhmdb.py --annotations splits.zip --splits 1 \\
      --boxes groundtruths_jhmdb.zip --out data/jhmdb
  python tools/data/jhmdb.py --act JHMDB-GT.pkl --out data/jhmdb"""


# --------------------------------------------------------------------- boxes
def read_boxes(
    path: Path,
    classes: Sequence[str],
    names: set[str],
    size: tuple[int, int],
    coordinates: str,
) -> dict[str, TubeVideo]:
    """Videos, of this width and height, from a text file a frame."""
    of_stem = {name.replace('/', '_', 1): name for name in names}
    boxes: dict[str, dict[int, list[float]]] = {}
    for member, read in progress(members_of(path, '.txt').items(), 'boxes'):
        with well_formed(f'{path}: {member}'):
            stem, _, frame = PurePosixPath(member).stem.rpartition('_')
            label, *box = map(float, read().split())
            x1, y1, x2, y2 = box
            name = of_stem[stem]
            if classes[int(label) - 1] != name.partition('/')[0]:
                raise ValueError(f'class {label:g} is not that of the name')
            boxes.setdefault(name, {})[int(frame) - 1] = [x1, y1, x2, y2]
    videos = {}
    for name, of_frame in boxes.items():
        frames = np.array(sorted(of_frame))
        edges = np.array([of_frame[frame] for frame in frames])
        label = classes.index(name.partition('/')[0])
        tube = RawTube(label, frames, edges + COORDINATES[coordinates])
        videos[name] = TubeVideo(name, int(frames[-1]) + 1, *size, (tube,))
    return videos


# --------------------------------------------------------------------- masks
def read_masks(
    path: Path, classes: Sequence[str], names: set[str], workers: int
) -> dict[str, TubeVideo]:
    """Videos from their puppet masks; those of other videos are skipped."""
    jobs = []
    for member in members_of(path, 'puppet_mask.mat'):
        name = '/'.join(PurePosixPath(member).parts[-3:-1])
        if name in names:
            jobs.append(Job(name, (str(path), member)))
    # SciPy crashes the interpreter on some damaged files
    done = run_once(read_mask, jobs, workers, 'masks')
    videos = {}
    for outcome in done.outcomes:
        name = outcome.key
        if outcome.error:
            raise ToolError(
                f'{path}: the mask of {name} cannot be read '
                f'({outcome.error}): download it again'
            )
        (height, width, length), *found = outcome.result.values()
        tube = RawTube(classes.index(name.partition('/')[0]), *found)
        tubes = (tube,) if len(tube.frames) else ()
        videos[name] = TubeVideo(name, length, width, height, tubes)
    return videos


def read_mask(path: str, member: str) -> dict:
    """Shape (H, W, F) of one mask, and what :func:`mask_boxes` gives."""
    from scipy.io import loadmat

    data = members_of(Path(path), 'puppet_mask.mat')[member]()
    content = loadmat(io.BytesIO(data), variable_names=['part_mask'])
    # MATLAB drops the last axis of a single frame
    mask = np.atleast_3d(content['part_mask'])
    frames, boxes = mask_boxes(mask)
    return dict(shape=mask.shape, frames=frames, boxes=boxes)


def mask_boxes(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames (n,) in which a mask (H, W, F) is not 0, its edges (n, 4) there.

    x1 y1 x2 y2: the first column and row, the last ones plus 1.
    """
    import cv2

    _, _, length = mask.shape
    there = (mask != 0).astype(np.uint8)
    boxes = [cv2.boundingRect(there[..., f]) for f in range(length)]
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]  # from width and height
    frames = np.flatnonzero(boxes[:, 2])
    return frames, boxes[frames]


# ---------------------------------------------------------------------- main
def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('--annotations', type=Path, metavar='PATH', help='the split files')
    source = parser.add_mutually_exclusive_group(required=True)
    for name in ('--puppet-masks', '--boxes', '--act'):
        source.add_argument(name, type=Path, metavar='PATH')
    add('--splits', nargs='+', choices='123', help='default: all there are')
    add_arguments(parser, num_classes=21)
    args = parser.parse_args(argv)
    if (args.act is None) != (args.annotations is not None):
        parser.error(
            '--act holds the splits and takes no --annotations; '
            '--puppet-masks and --boxes need them'
        )
    if args.act:
        raw = read_act('jhmdb', args.act, args.coordinates or 'pixels0')
    else:
        classes, found = read_split_files(args.annotations)
        splits = {
            number: {
                subset: [name.removesuffix('.avi') for name in codes[code]]
                for subset, code in (('train', '1'), ('test', '2'))
            }
            for number, codes in found.items()
        }
        names = names_of(splits)
        if args.boxes:
            how = args.size, args.coordinates or 'pixels1'
            videos = read_boxes(args.boxes, classes, names, *how)
        else:
            masks = args.puppet_masks
            videos = read_masks(masks, classes, names, args.workers)
        raw = TubeAnnotations('jhmdb', tuple(classes), splits, videos)
    if missing := set(args.splits or ()) - raw.splits.keys():
        raise ToolError(
            f'the source holds the splits {", ".join(raw.splits)}, not '
            f'{", ".join(sorted(missing))}: set --splits'
        )
    for split in raw.splits.keys() - set(args.splits or raw.splits):
        del raw.splits[split]
    return Conversion(raw, args, counted=not args.boxes).run()
