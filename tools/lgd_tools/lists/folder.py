"""Own videos: a folder of class folders -> train/val lists and label map.

Reads <videos>/<class>/**/<clip>, splits every class by --val-fraction, and
writes under --out

  <name>_{train,val}_list_videos.txt   lines `path label`
  label_map.txt                        class names by index (sorted)
  <name>_report.{txt,json}             what was left out and what is left
  videos/                              links, where the videos lie elsewhere
                                       or have blanks in their names

The split leaks nothing: clips of one group (the same source video, person,
scene ...) are never on both sides. --group says what a group is: a regular
expression on the file name without extension, whose first parenthesis (or
whole match) names the group, or one of the shorthands

  clip      every clip by itself (default: only right if no two clips come
            from one recording)
  ucf101    v_Biking_g01_c02        -> v_Biking_g01
  hmdb51    Film_walk_f_cm_np1_fr_med_3 -> Film
  kinetics  <YouTube id>_000017_000027  -> <YouTube id>
"""

import argparse
import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from lgd_tools.cli import (
    ToolError,
    iter_videos,
    make_parser,
    open_fraction,
    require_dir,
    warn,
)
from lgd_tools.lists.clips import Clip, name_key, run_threads, tree_stems
from lgd_tools.lists.conversion import Conversion, add_conversion_arguments

GROUPS = {
    'clip': r'.*',
    'ucf101': r'(.*_g[0-9]+)_c[0-9]+',
    'hmdb51': r'(.*?)(?:_(?:brush|climb|draw|fall|flic|kick|ride|shake|shoot'
    r'|swing|sword))?_[a-z]+_[fhlu]_[a-z]+_np[0-9]+_[a-z]+_[a-z]+_[0-9]+',
    'kinetics': r'(.+?)(?:_[0-9]{1,6}_[0-9]{1,6})?',
}
EXAMPLE = """\
  python tools/data/folder.py --videos ~/my_videos --out data/mine \\
      --group '^(cam[0-9]+_day[0-9]+)' --val-fraction 0.2 --same-files"""


def group_pattern(text: str) -> re.Pattern:
    """argparse type of ``--group``."""
    try:
        if text in GROUPS:
            return re.compile(f'^{GROUPS[text]}$')
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a regular expression ({error})'
        ) from None


def list_name(text: str) -> str:
    """argparse type of ``--name``."""
    if not re.fullmatch(r'\w[\w.-]*', text):
        raise argparse.ArgumentTypeError(
            f'{text!r} cannot begin a file name: use letters, digits, - and _'
        )
    return text


def find_clips(root: Path) -> tuple[list[str], list[Clip]]:
    """Sorted class names and the clips of their folders.

    Raises:
        ToolError: There are fewer than two classes with videos.
    """
    of_class: dict[str, list[str]] = defaultdict(list)
    for path in iter_videos(require_dir(root, 'video folder')):
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


# ----------------------------------------------------------------- grouping
def group_keys(
    clips: Sequence[Clip], pattern: re.Pattern
) -> tuple[list[str], int]:
    """The group of each clip, and how many clips the pattern did not match.

    A clip that it does not match is a group of its own. Clips of one file
    name in two class folders are one group unless the pattern says more.

    Raises:
        ToolError: It matches no clip.
    """
    keys, alone = [], 0
    for clip in clips:
        stem = Path(clip.name).stem
        match = pattern.search(stem)
        if match is None:
            alone += 1
            keys.append(f'/{clip.name}')  # no stem holds a slash
        else:
            text = match[1] if pattern.groups else match[0]
            keys.append(name_key(text or ''))
    if alone == len(clips):
        raise ToolError(
            f'--group {pattern.pattern!r} matches no file name, for example '
            f'not {Path(clips[0].name).stem!r}: check the expression'
        )
    return keys, alone


def file_hash(path: Path) -> str:
    """Digest of a file's bytes."""
    digest = hashlib.blake2b(digest_size=20)
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def same_files(clips: Sequence[Clip], workers: int) -> list[list[int]]:
    """Indices of the clips whose files are byte for byte the same.

    Only files of equal size are read. Empty files are no copies.
    """
    by_size = defaultdict(list)
    for i, clip in enumerate(clips):
        by_size[(clip.root / clip.path).stat().st_size].append(i)
    suspects = [
        i
        for size, ids in by_size.items()
        if size and len(ids) > 1
        for i in ids
    ]
    digests = run_threads(
        lambda i: file_hash(clips[i].root / clips[i].path),
        suspects,
        workers,
        'comparing files',
    )
    by_digest = defaultdict(list)
    for i, digest in zip(suspects, digests, strict=True):
        by_digest[digest].append(i)
    return [ids for ids in by_digest.values() if len(ids) > 1]


def merge_groups(
    keys: Sequence[str], together: Sequence[Sequence[int]]
) -> list[str]:
    """Group of each clip once the clips of each list are in one group."""
    parent = {key: key for key in keys}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]  # shorten the way
            key = parent[key]
        return key

    for indices in together:
        for i in indices[1:]:
            parent[root(keys[i])] = root(keys[indices[0]])
    return [root(key) for key in keys]


# ---------------------------------------------------------------- splitting
def split_groups(
    labels: Sequence[int], keys: Sequence[str], fraction: float, seed: int
) -> list[bool]:
    """Whether each clip is for validation; whole groups, class by class.

    Groups come in random order; one goes to validation if that brings the
    classes nearer to ``fraction`` of their clips. Then every class of two
    groups or more gets at least one clip on either side, where a group can
    be moved without emptying another class.

    Args:
        labels: Class index of each clip.
        keys: Group of each clip.
        fraction: Wanted share of validation clips, between 0 and 1.
        seed: The same seed, clips and groups give the same split.
    """
    groups: dict[str, Counter] = defaultdict(Counter)
    for label, key in zip(labels, keys, strict=True):
        groups[key][label] += 1
    totals = Counter(labels)
    chosen: Counter = Counter()
    order = sorted(groups)
    random.Random(seed).shuffle(order)

    val = set()
    for key in order:
        gain = 0.0
        for label, n in groups[key].items():
            lack = fraction * totals[label] - chosen[label]
            gain += abs(lack) - abs(lack - n)
        if gain > 1e-9:
            val.add(key)
            chosen += groups[key]

    def move(key: str) -> bool:
        """Put a group on the other side, unless that empties a class."""
        to_val = key not in val
        for label, n in groups[key].items():
            left = (
                chosen[label] if not to_val else totals[label] - chosen[label]
            )
            if left <= n:
                return False
        if to_val:
            val.add(key)
            chosen.update(groups[key])
        else:
            val.discard(key)
            chosen.subtract(groups[key])
        return True

    by_size = sorted(order, key=lambda key: sum(groups[key].values()))
    for label in sorted(totals):
        if 0 < chosen[label] < totals[label]:
            continue
        for key in by_size:
            if groups[key][label] and move(key):
                break
    return [key in val for key in keys]


# --------------------------------------------------------------------- main
def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        '--videos',
        type=Path,
        required=True,
        metavar='DIR',
        help='folder of the class folders',
    )
    parser.add_argument(
        '--name',
        type=list_name,
        help='start of the file names (default: the name of --out)',
    )
    parser.add_argument(
        '--val-fraction',
        type=open_fraction,
        default=0.2,
        metavar='F',
        help='share of validation clips (default: %(default)s)',
    )
    parser.add_argument(
        '--group',
        type=group_pattern,
        default='clip',
        metavar='REGEX',
        help='what a group is (see above; default: %(default)s)',
    )
    parser.add_argument(
        '--same-files',
        action='store_true',
        help='also group clips whose files are byte for byte the same; '
        'copies in two classes are reported',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of the split (default: %(default)s)',
    )
    add_conversion_arguments(parser)
    args = parser.parse_args(argv)
    if args.no_check_videos:
        parser.error('--no-check-videos: here the videos are the annotation')
    if args.name is None:
        try:
            args.name = list_name(args.out.resolve().name)
        except argparse.ArgumentTypeError as error:
            parser.error(f'{error} (--name)')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    names, clips = find_clips(args.videos)
    # x.avi and x.mp4 are two clips here
    conversion = Conversion(args.name, args, names, any_extension=False)
    # Unusable clips go first, so that the fractions hold for the rest.
    clips = conversion.screen(clips, tree_stems)
    keys, alone = group_keys(clips, args.group)
    if alone:
        warn(
            f'--group does not match {alone} of {len(clips)} clips: each is '
            'a group of its own'
        )
    notes: Counter = Counter()
    if args.same_files:
        copies = same_files(clips, args.workers)
        keys = merge_groups(keys, copies)
        notes['sets of identical files, kept on one side'] = len(copies)
        for ids in copies:
            if len({clips[i].label for i in ids}) > 1:
                warn(
                    'identical files in two classes: '
                    + ', '.join(clips[i].name for i in ids)
                )
    is_val = split_groups(
        [clip.label for clip in clips], keys, args.val_fraction, args.seed
    )
    notes[f'groups in all, of {len(clips)} clips'] = len(set(keys))
    for split in ('train', 'val'):
        chosen = [
            clip
            for clip, val in zip(clips, is_val, strict=True)
            if val == (split == 'val')
        ]
        for name in sorted(set(names) - {c.class_name for c in chosen}):
            warn(f'class {name} has no {split} clips: it has too few groups')
        conversion.add_split(
            f'{split}_list', chosen, notes, tree_stems, args.rawframes
        )
        notes = Counter()
    return conversion.finish()
