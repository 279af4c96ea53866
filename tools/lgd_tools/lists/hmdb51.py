"""HMDB51: the official split files -> lists and label map.

Reads <class>_test_split<N>.txt (the folder testTrainMulti_7030_splits of
the download; lines `clip.avi code`, code 1 train, 2 test, 0 unused), finds
the videos, and writes under --out

  hmdb51_{train,val}_split_{1,2,3}_videos.txt   lines `class/clip.avi label`
  label_map.txt                                 class names by index (sorted)
  hmdb51_report.{txt,json}                      what is missing, what is left
  videos/                                       links, where the videos lie
                                                elsewhere

Videos may lie in class folders, as in the archives, or all in one folder,
with any extension.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lgd_tools.cli import ToolError
from lgd_tools.lists.official_splits import convert
from lgd_tools.split_files import read_split_files

EXAMPLE = """\
  python tools/data/hmdb51.py --annotations testTrainMulti_7030_splits \\
      --videos ~/downloads/hmdb51_org --out data/hmdb51"""


def read(
    folder: Path, num_classes: int, splits: Sequence[int]
) -> tuple[list[str], dict[str, list[str]]]:
    """Class names by index, and the clips of the lists."""
    classes, found = read_split_files(folder, [str(n) for n in splits])
    if len(classes) != num_classes:
        raise ToolError(
            f'{folder} holds {len(classes)} classes, not {num_classes}, so '
            'class indices would be wrong: unpack test_train_splits.rar '
            'again, or set --num-classes'
        )
    return classes, {
        f'{subset}_split_{split}': codes[code]
        for split, codes in found.items()
        for subset, code in (('train', '1'), ('val', '2'))
    }


main = partial(convert, 'hmdb51', 51, read, __doc__, EXAMPLE)
