"""Finding and linking the clips of a data set, counting their flows."""

import fnmatch
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from lgd_tools.cli import VIDEO_EXTENSIONS, ToolError, list_videos, progress


@dataclass
class Clip:
    """An annotated clip, and what was found; listed if it has no problem.

    Args:
        name: Its path as the data set's authors name it.
        label: Class index from 0, or None where it is not known.
        class_name: '' where it is not known.
        root: Folder that was searched for it.
        path: Where it lies under ``root``; '' where missing.
        problem: 'missing', 'empty', 'unreadable', 'excluded', or ''.
        detail: More on the problem.
        total: Number of its flows; None in lists of videos.
    """

    name: str
    label: int | None
    class_name: str
    root: Path | None = None
    path: str = ''
    problem: str = ''
    detail: str = ''
    total: int | None = None


# ------------------------------------------------------------------ finding
def name_key(name: str) -> str:
    """A file name as it is compared: any case, any Unicode normal form.

    Archives made on macOS decompose accents, and UCF101 spells one class
    both ``HandstandPushups`` and ``HandStandPushups``. Bytes that are not
    UTF-8 are read as Latin-1, as in the lists.
    """
    try:
        name.encode('utf-8')
    except UnicodeEncodeError:  # os.walk hides raw bytes in surrogates
        name = os.fsencode(name).decode('latin-1')
    return unicodedata.normalize('NFC', name).casefold()


def class_key(name: str) -> str:
    """Class names as folders spell them: any case, any separator."""
    return re.sub(r'[\W_]+', ' ', name_key(name)).strip()


class VideoIndex:
    """Videos under ``root``, in class folders or not, by their names.

    ``key`` says what files of one clip have in common, from their names
    without extension; so re-encoded copies are found too.
    """

    def __init__(self, root: Path, key: Callable = name_key) -> None:
        self.root, self.key = root, key
        self._paths: dict[Any, list[str]] = defaultdict(list)
        for path in list_videos(root):
            self._paths[key(Path(path).stem)].append(path)

    def find(self, clip: Clip) -> str:
        """Path of a clip relative to the root, '' where it is missing.

        Among several files: of its class folder, not empty, no link of an
        earlier run.
        """
        paths = self._paths.get(self.key(Path(clip.name).stem), [])
        if len(paths) < 2:  # nearly always; spares looking at the disk
            return paths[0] if paths else ''

        def order(path: str) -> tuple:
            file = self.root / path
            return (
                class_key(file.parent.name) != class_key(clip.class_name),
                not file.exists() or not file.stat().st_size,
                file.is_symlink(),
                VIDEO_EXTENSIONS.index(file.suffix.lower()),
                path,
            )

        return min(paths, key=order)


def clip_stems(clip: Clip) -> list[str]:
    """Names without extension that a clip's video or flow may have."""
    names = [clip.path, clip.name]
    if clip.class_name and '/' not in clip.name:
        names.append(f'{clip.class_name}/{clip.name}')
    names = [os.path.splitext(name)[0] for name in names if name]
    return list(dict.fromkeys([*names, *map(safe_name, names)]))


# ----------------------------------------------------------------- checking
def run_threads(
    function: Callable, items: Sequence, workers: int, desc: str
) -> list:
    """``[function(x) for x in items]`` in threads, with a progress bar."""
    with ThreadPool(workers) as pool:
        results = pool.imap(function, items, chunksize=16)
        return list(progress(results, desc, total=len(items)))


def count_flows(folder: Path) -> tuple[int, str]:
    """``(flows, problem)`` of a folder of flow.

    It holds ``flow_x_00001.jpg`` and ``flow_y_00001.jpg`` ..., numbered from
    1 without gaps.
    """
    names = set(fnmatch.filter(os.listdir(folder), 'flow_[xy]_*.jpg'))
    # the longer of x and y tells how many there should be
    total = max(sum(n.startswith(f'flow_{a}') for n in names) for a in 'xy')
    for number in range(1, total + 1):
        for axis in 'xy':
            if (name := f'flow_{axis}_{number:05d}.jpg') not in names:
                return 0, f'{name} is missing'
    return total, '' if total else 'no flow_x_*.jpg'


# ------------------------------------------------------------------ linking
def safe_name(path: str) -> str:
    """The path with blanks, and bytes that are not UTF-8, as ``_``."""
    return re.sub(r'\s+|[\ud800-\udfff]', '_', path)


class Links:
    """Gives every clip a path under ``dest``, the configs' data_prefix.

    A clip that lies there already, under a name without blanks, keeps it;
    any other gets a symbolic link there. mmaction2's lists cannot hold
    blanks: it splits their lines at every space.
    """

    def __init__(self, dest: Path) -> None:
        self.dest = dest
        self._taken: dict[str, Path] = {}

    def place(self, root: Path, path: str) -> str:
        """Path of ``root / path`` for the list."""
        name, source = safe_name(path), root / path
        if os.path.isabs(name) or '..' in name.split('/'):
            raise ToolError(
                f'{path!r} leads out of {self.dest}: correct that name in '
                'the annotation files'
            )
        if self._taken.setdefault(name, source) != source:
            raise ToolError(
                f'{source} and {self._taken[name]} would both be linked as '
                f'{name}: rename one of them'
            )
        if name != path or root.resolve() != self.dest.resolve():
            self._link(source, self.dest / name)
        return name

    def _link(self, source: Path, link: Path) -> None:
        target = os.path.abspath(source)
        if link.is_symlink():
            if os.readlink(link) == target:
                return
            link.unlink()  # ours, from an earlier run over another folder
        elif link.exists():
            if link.samefile(source):
                return
            raise ToolError(
                f'{link} is in the way of a link to {source}: move it away'
            )
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        except OSError as error:
            raise ToolError(
                f'cannot make the link {link} ({error.strerror}): move the '
                f'videos to {self.dest}, with names without blanks'
            ) from None
