"""Data sets of class folders, ``<class>/<clip>``: UCF101, HMDB51, own."""

import os
from collections import Counter

from lgd_tools.lists.clips import ClassTree, Clip, safe_name
from lgd_tools.lists.conversion import Conversion


def convert_tree(
    conversion: Conversion, splits: dict[str, tuple[list[Clip], Counter]]
) -> int:
    """List ``<class>/<clip>`` data sets; the exit code.

    Args:
        conversion: Holds :func:`conversion_args.add_tree_arguments`.
        splits: 'train_split_1': (its clips, ignored annotation rows).
    """
    args = conversion.args
    root = args.videos or args.out / 'videos'
    tree = None if args.no_check_videos else ClassTree(root)
    for name, (clips, notes) in splits.items():
        for clip in clips:
            clip.root = root
            if tree is not None:
                stem = os.path.splitext(os.path.basename(clip.name))[0]
                clip.path = tree.find(clip.class_name, stem)
        conversion.add_split(name, clips, notes, tree_stems, args.rawframes)
    return conversion.finish()


def tree_stems(clip: Clip) -> list[str]:
    """Names that the video or the frame folder of a clip may have."""
    names = [os.path.splitext(n)[0] for n in (clip.path, clip.name) if n]
    names += [safe_name(name) for name in names]
    names += [os.path.basename(name) for name in names]
    return list(dict.fromkeys(names))
