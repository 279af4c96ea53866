"""Generate a data set of labelled clips: real H.264 videos, any number.

The class is how a textured scene moves: left, right, up, down, clockwise,
counter_clockwise, approaching, receding. No single frame tells it. Written,
in the layout that VideoDataset reads:

    OUT/videos_train/<class>/<class>_<number>.mp4    OUT/videos_val/...
    OUT/<name>_train_list_videos.txt   lines `path label`, the path relative
    OUT/<name>_val_list_videos.txt     to videos_train or videos_val
    OUT/label_map.txt                  line n names class n
    OUT/generate_clips.json            the parameters

Every class has the same number of clips and the same clip seeds; train and
val share no seed. Interrupted, the command goes on where it stopped when
given again; with larger counts, it adds clips. Train without a horizontal
flip: it turns left into right.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lgd_tools.cli import (
    ToolError,
    add_workers,
    make_parser,
    non_negative_int,
    parse_size,
    positive_int,
    write_lines,
)
from lgd_tools.pictures import write_contact_sheet
from lgd_tools.synthetic.generator_run import claim_folder, make_all
from lgd_tools.synthetic.motion import DIRECTIONS, render_motion
from lgd_tools.video import check_video_size, write_video

CLASSES = tuple(DIRECTIONS)
SPLITS = ('train', 'val')
MANIFEST = 'generate_clips.json'
VERSION = 1  # raise when equal parameters give other pictures
EXAMPLE = """\
  python tools/data/generate_clips.py --out data/motion \\
      --train-per-class 60 --val-per-class 20 --preview"""


def clip_seed(seed: int, split: str, index: int) -> int:
    """Seed of clip number `index` of a split; all classes share it.

    Different (seed, split, index) never collide: index < 2^31.
    """
    return (seed * len(SPLITS) + SPLITS.index(split)) * (1 << 31) + index


def generate_dataset(
    out: Path,
    classes: Sequence[str] = CLASSES,
    train_per_class: int = 40,
    val_per_class: int = 10,
    size: tuple[int, int] = (112, 112),
    frames: int = 16,
    seed: int = 0,
    speed: float = 1.0,
    name: str = 'motion',
    workers: int = 1,
    overwrite: bool = False,
) -> tuple[int, int]:
    """Write a data set of labelled clips; layout in the module's docstring.

    Args:
        out: Folder of the data set, made if missing.
        classes: Class names in the order of their labels.
        train_per_class, val_per_class: Clips of each class.
        size: Height and width in pixels, even.
        frames, speed: As in :func:`render_motion`.
        seed: Data sets of different seeds share no clip.
        name: Start of the list files' names.
        workers: Processes. With more than one, the calling script needs an
            `if __name__ == '__main__':`, as new processes import it.
        overwrite: Remove the clips that this tool made there before.

    Returns:
        How many clips were written, and how many were there.

    Raises:
        ToolError: An argument is out of range, or `out` holds a data set
            made with other parameters.
    """
    if len(classes) < 2 or len({*classes}) < len(classes):
        raise ToolError(
            f'the classes are {", ".join(classes)}: name two or more, each '
            'once'
        )
    if not re.fullmatch(r'[\w.-]+', name):
        raise ToolError(
            f'name {name!r} cannot start a file name: use letters, digits, '
            '"_", "-" and "."'
        )
    check_video_size(size)
    for label in classes:  # says now, not after minutes, what cannot be
        render_motion(label, size, frames, seed, speed)
    look = {
        'size': list(size),
        'frames': frames,
        'seed': seed,
        'speed': float(speed),
        'version': VERSION,
    }
    folders = [f'videos_{split}' for split in SPLITS]
    claim_folder(out / MANIFEST, look, 'clips', folders, overwrite)

    counts = {'train': train_per_class, 'val': val_per_class}
    jobs, kept, lists = [], 0, {}
    for split in SPLITS:
        folder, lines = out / f'videos_{split}', lists.setdefault(split, [])
        for index in range(counts[split]):
            for number, label in enumerate(classes):
                path = f'{label}/{label}_{index:05d}.mp4'
                lines.append(f'{path} {number}')
                # A file of this name is whole: write_video renames at last.
                if (folder / path).exists():
                    kept += 1
                    continue
                clip = label, size, frames, clip_seed(seed, split, index)
                jobs.append((folder / path, (*clip, speed)))
    make_all(_make_clip, jobs, workers, 'clips')
    write_lines(out / 'label_map.txt', classes)
    for split, lines in lists.items():
        write_lines(out / f'{name}_{split}_list_videos.txt', lines)
    return len(jobs), kept


def _make_clip(job: tuple[Path, tuple[Any, ...]]) -> None:
    path, clip = job
    write_video(path, render_motion(*clip))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('--out', type=Path, required=True, help='folder of the data set')
    add('--classes', nargs='+', default=CLASSES, metavar='NAME',
        help='in the order of their labels (default: all)')  # fmt: skip
    add('--train-per-class', type=non_negative_int, default=40, metavar='N')
    add('--val-per-class', type=non_negative_int, default=10, metavar='N')
    add('--size', type=parse_size, default=(112, 112), metavar='WxH')
    add('--frames', type=positive_int, default=16, metavar='T')
    add('--seed', type=non_negative_int, default=0)
    add('--speed', type=float, default=1, help='factor on the speed')
    add('--name', default='motion', help="start of the lists' names")
    add('--overwrite', action='store_true', help='remove the clips there')
    add('--preview', action='store_true', help='draw OUT/preview.png: a row '
        'per class, a column per time')  # fmt: skip
    add_workers(parser)
    args = parser.parse_args(argv)
    given = {k: v for k, v in vars(args).items() if k != 'preview'}
    given['size'] = size = args.size[::-1]
    written, kept = generate_dataset(**given)
    print(
        f'{args.out}: {written} clips written, {kept} kept, '
        f'{len(args.classes)} classes'
    )
    if args.preview:
        # A seed of its own for every row: rows of equal seed would all show
        # the same middle picture.
        clips = {
            label: render_motion(
                label, size, args.frames, clip_seed(args.seed, 'train', row),
                args.speed,
            )
            for row, label in enumerate(args.classes)
        }  # fmt: skip
        path = write_contact_sheet(args.out / 'preview.png', clips)
        print(f'preview: {path}')
    return 0
