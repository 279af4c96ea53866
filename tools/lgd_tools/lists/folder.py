"""Own videos: a folder of class folders -> lists, label map and a config.

Reads <videos>/<class>/**/<clip>, splits every class by --val-fraction, and
writes under --out

  <name>_{train,val}_list_videos.txt   lines `path label`
  label_map.txt                        class names by index (sorted)
  <name>.py                            a config, ready to train
  <name>_report.{txt,json}             what was left out and what is left
  videos/                              links, where the videos lie elsewhere
                                       or have blanks in their names

Recipes of the config, which is fitted to the number and length of the clips:

  lgd3d   LGD-3D, ResNet-50, from 2D weights (a GPU; the default with one)
  lgd2d   LGD-2D, ResNet-50, from 2D weights: three frames tell the class
  small   a small LGD-3D from scratch, for some hundred clips on a CPU

The split leaks nothing: clips of one group (the same source video, camera,
person ...) are never on both sides. --group says what a group is: a regular
expression on the file name without extension (on the path below the class
folder, if it has a slash), whose first parenthesis (or whole match) names
the group, or one of the shorthands

  clip    every clip by itself (default: only right if no two clips come
          from one recording)
  folder  <class>/cam1/<clip>, <class>/cam2/<clip> -> cam1, cam2
"""

import argparse
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from lgd_tools.cli import (
    ToolError,
    list_videos,
    make_parser,
    open_fraction,
    positive_int,
    warn,
)
from lgd_tools.lists import grouping, own_config
from lgd_tools.lists.clips import Clip
from lgd_tools.lists.conversion import Conversion, add_conversion_arguments

EXAMPLE = """\
  python tools/data/folder.py --videos ~/my_videos --out data/mine \\
      --group '^(cam[0-9]+_day[0-9]+)' --val-fraction 0.2"""


def find_clips(root: Path) -> tuple[list[str], list[Clip]]:
    """Sorted class names and the clips of their folders."""
    of_class: dict[str, list[str]] = defaultdict(list)
    for path in list_videos(root):
        if '/' in path:
            of_class[path.split('/')[0]].append(path)
        else:
            warn(f'{root / path} is in no class folder: left out')
    for folder in sorted(root.iterdir()):
        hidden = folder.name.startswith('.')
        if folder.is_dir() and not hidden and folder.name not in of_class:
            warn(f'{folder} holds no videos: not a class')
    if len(of_class) < 2:
        raise ToolError(
            f'{root} holds {len(of_class)} class folders with videos, two '
            'are needed: put the videos of each class in one folder'
        )
    names = sorted(of_class)
    return names, [
        Clip(path, label, name, root, path)
        for label, name in enumerate(names)
        for path in of_class[name]
    ]


# --------------------------------------------------------------------- main
def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('--videos', type=Path, required=True, metavar='DIR',
        help='folder of the class folders')
    add('--name',
        help='start of the file names (default: the name of --out)')
    add('--val-fraction', type=open_fraction, default=0.2, metavar='F',
        help='share of validation clips (default: %(default)s)')
    add('--group', type=grouping.group_pattern, default='clip',
        metavar='REGEX',
        help='what a group is (see above; default: %(default)s)')
    add('--folds', type=positive_int, default=1, metavar='K',
        help='also write lists and configs of K folds, whole groups, for '
        'cross-validation')
    add('--recipe', choices=tuple(own_config.RECIPES),
        default=own_config.default_recipe(),
        help='see above (default here: %(default)s)')
    add('--checkpoint', type=Path, metavar='PTH', help='start from this '
        'network of ours instead, which says the recipe')
    add('--keep-direction', action=argparse.BooleanOptionalAction,
        default=True,
        help='never mirror a clip in training (--no-keep-direction: half of '
        'them), since that turns left into right')
    add('--seed', type=int, default=0,
        help='seed of the split (default: %(default)s)')
    # fmt: on
    add_conversion_arguments(parser)
    args = parser.parse_args(argv)
    if args.no_check_videos:
        parser.error('--no-check-videos: here the videos are the annotation')
    args.name = args.name or args.out.resolve().name
    if not re.fullmatch(r'\w[\w.-]*', args.name):
        parser.error(
            f'--name: {args.name!r} cannot begin a file name: use letters, '
            'digits, - and _'
        )
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    depth = None
    if args.checkpoint:
        args.recipe, depth = own_config.recipe_of(args.checkpoint)
    names, clips = find_clips(args.videos)
    conversion = Conversion(args.name, args, names)
    # Unusable clips go first, so that the fractions hold for the rest.
    clips = conversion.screen(clips)
    keys, alone = grouping.group_keys(clips, args.group)
    if alone:
        warn(
            f'--group does not match {alone} of {len(clips)} clips: each is '
            'a group of its own'
        )
    notes = Counter({f'groups in all, of {len(clips)} clips': len({*keys})})
    labels = [clip.label for clip in clips]
    is_val = grouping.split_groups(labels, keys, args.val_fraction, args.seed)
    if len(set(is_val)) < 2:
        raise ToolError(
            f'all {len(clips)} clips are of one group (--group), so that '
            'nothing would be left to validate on: name smaller groups'
        )
    splits, folds = {'list': is_val}, args.folds if args.folds > 1 else 0
    if folds:
        fold_of = grouping.fold_groups(labels, keys, folds, args.seed)
        for k in range(folds):
            splits[f'fold_{k + 1}'] = [fold == k for fold in fold_of]
    for suffix, chosen in splits.items():
        for part in ('train', 'val'):
            pairs = zip(clips, chosen, strict=True)
            own = [clip for clip, val in pairs if val == (part == 'val')]
            for name in sorted({*names} - {clip.class_name for clip in own}):
                warn(
                    f'class {name} has no {part} clips ({suffix}): it has '
                    'too few groups'
                )
            frames = args.rawframes if suffix == 'list' else None
            conversion.add_split(f'{part}_{suffix}', own, notes, frames)
            notes = None
    code = conversion.finish()
    counts = is_val.count(False), is_val.count(True)
    frames = own_config.usual_frames(clips, args.workers)
    config = own_config.write_config(args, depth, len(names), counts, frames)
    for k in range(folds):
        own_config.write_fold(config, k + 1, folds)
    print_commands(config, args)
    return code


def print_commands(config: Path, args: argparse.Namespace) -> None:
    """What to type next."""
    name, path = config.stem, shlex.quote(str(config))
    stem = shlex.quote(str(config.with_suffix('')))
    best = f'work_dirs/{name}/best_acc_top1_epoch_*.pth'
    share = 'no clip' if args.keep_direction else 'half of the clips'
    print(f"""
wrote the config {config}: {share} is mirrored in training, see \
--keep-direction

train:   python tools/train.py {path}
test:    python tools/test.py {path} {best}
predict: python tools/predict.py {path} {best} VIDEO_OR_FOLDER""")
    if args.folds > 1:
        command = f'tools/run_experiment.py --name {name} --rgb {stem}'
        print(f'folds:   python {command}_fold_{{1..{args.folds}}}.py')
