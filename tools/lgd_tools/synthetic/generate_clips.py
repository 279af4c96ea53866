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

from collections.abc import Sequence
from pathlib import Path

from lgd_tools.cli import (
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


def _make_clip(job: tuple[Path, tuple]) -> None:
    path, clip = job
    write_video(path, render_motion(*clip))


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('--out', type=Path, required=True, help='folder of the data set')
    add('--classes', nargs='+', default=CLASSES, choices=CLASSES,
        metavar='NAME', help='in the order of their labels (default: all)')
    add('--train-per-class', type=non_negative_int, default=40, metavar='N')
    add('--val-per-class', type=non_negative_int, default=10, metavar='N')
    add('--size', type=parse_size, default=(112, 112), metavar='WxH')
    add('--frames', type=positive_int, default=16, metavar='T')
    add('--seed', type=non_negative_int, default=0)
    add('--speed', type=float, default=1.0, help='factor on the speed')
    add('--name', default='motion', help="start of the lists' names")
    add('--preview', action='store_true', help='draw OUT/preview.png: a row '
        'per class, a column per time')
    # fmt: on
    add_workers(parser)
    args = parser.parse_args(argv)
    out, size = args.out, args.size[::-1]

    def clip(label: str, split: str, index: int) -> tuple:
        seed = clip_seed(args.seed, split, index)
        return label, size, args.frames, seed, args.speed

    check_video_size(size)
    # A seed of its own for every row: rows of equal seed would all show the
    # same middle picture. Rendered first, as it says what cannot be.
    preview = {
        label: render_motion(*clip(label, 'train', row))
        for row, label in enumerate(args.classes)
    }
    look = {
        'size': list(size),
        'frames': args.frames,
        'seed': args.seed,
        'speed': args.speed,
        'version': VERSION,
    }
    folders = {split: out / f'videos_{split}' for split in SPLITS}
    claim_folder(out / MANIFEST, look, folders.values())

    counts = {'train': args.train_per_class, 'val': args.val_per_class}
    clips, lists = {}, {split: [] for split in SPLITS}
    for split, folder in folders.items():
        for index in range(counts[split]):
            for number, label in enumerate(args.classes):
                name = f'{label}/{label}_{index:05d}.mp4'
                lists[split].append(f'{name} {number}')
                clips[folder / name] = clip(label, split, index)
    # a file of this name is whole: write_video renames at last
    jobs = [job for job in clips.items() if not job[0].exists()]
    make_all(_make_clip, jobs, args.workers, 'clips')
    write_lines(out / 'label_map.txt', args.classes)
    for split, lines in lists.items():
        write_lines(out / f'{args.name}_{split}_list_videos.txt', lines)
    print(
        f'{out}: {len(jobs)} clips written, {len(clips) - len(jobs)} kept, '
        f'{len(args.classes)} classes'
    )
    if args.preview:
        path = write_contact_sheet(out / 'preview.png', preview)
        print(f'preview: {path}')
    return 0
