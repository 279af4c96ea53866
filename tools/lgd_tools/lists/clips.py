"""Finding, checking, linking and counting the clips of a data set.

Shared by the converters (``kinetics.py``, ``ucf101.py``, ``hmdb51.py``,
``folder.py``); what they have in common on the command line and in the
report is in ``conversion.py``.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lgd_tools.cli import VIDEO_EXTENSIONS, ToolError, list_videos, progress


@dataclass
class Clip:
    """One annotated clip.

    Args:
        name: Its path as the data set's authors name it.
        label: Class index from 0, or None where it is not known.
        class_name: Name of the class, '' where it is not known.
        root: Folder that was searched for it.
        path: Where it was found, relative to ``root``; None: not there.
        problem: Why it was not found, where there is more to say.
    """

    name: str
    label: int | None
    class_name: str
    root: Path | None = None
    path: str | None = None
    problem: str = ''


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


def preference(root: Path, path: str) -> tuple:
    """Sort key among several files of one clip: the usable one first."""
    try:
        empty = os.path.getsize(root / path) == 0
    except OSError:
        empty = True
    extension = VIDEO_EXTENSIONS.index(os.path.splitext(path)[1].lower())
    # real files before the links of an earlier run
    return empty, os.path.islink(root / path), extension, path


class ClassTree:
    """Videos under ``root``, by class folder and name or by name alone.

    Finds ``<class>/<clip>.<ext>`` whatever the extension is, so that
    re-encoded copies are found too, and ``<clip>.<ext>`` in a flat folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.count = 0
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in list_videos(root):
            stem = os.path.splitext(os.path.basename(path))[0]
            self._by_stem[name_key(stem)].append(path)
            self.count += 1

    def find(self, class_name: str, stem: str) -> str | None:
        """Path of a clip relative to the root, None where it is missing."""
        paths = self._by_stem.get(name_key(stem), [])
        if len(paths) < 2:
            return paths[0] if paths else None
        key = name_key(class_name)
        return min(
            paths,
            key=lambda p: (
                name_key(os.path.basename(os.path.dirname(p))) != key,
                preference(self.root, p),
            ),
        )


# ----------------------------------------------------------------- checking
def probe_video(path: Path) -> tuple[int, str]:
    """``(frames, problem)``: decodes the first frame, counts the packets.

    Counting packets reads the whole file but decodes nothing, so a file cut
    off in the middle shows fewer frames than its header says.
    """
    from lgd_tools.jobs import JobError
    from lgd_tools.video import VideoFile

    try:
        with VideoFile(path, allow_damaged=True) as video:
            next(video.decode())
        with VideoFile(path) as video:
            packets = video.container.demux(video.stream)
            return sum(packet.size > 0 for packet in packets), ''
    except JobError as error:
        return 0, str(error)


def run_threads(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    workers: int,
    desc: str,
) -> list[Any]:
    """``[function(x) for x in items]`` in threads, with a progress bar."""

    def results() -> Iterator[Any]:
        # in portions: a future for each of 240k clips would fill memory
        for start in range(0, len(items), 4096):
            yield from pool.map(function, items[start : start + 4096])

    pool = ThreadPoolExecutor(workers)
    try:
        return list(progress(results(), desc, total=len(items)))
    finally:
        pool.shutdown(cancel_futures=True)


def check_files(
    clips: Sequence[Clip], verify: bool, min_frames: int, workers: int
) -> list[tuple[str, str]]:
    """``(kind, detail)`` for each clip, ``('', '')`` for a good one.

    Kinds: 'missing', 'empty' (zero bytes), 'unreadable', 'too short'.

    Args:
        clips: The clips; those without a path are 'missing'.
        verify: Open every video; otherwise only its size is looked at.
        min_frames: Shortest clip that is good, in frames; above 0 it
            implies ``verify``.
        workers: Number of threads.
    """

    def check(clip: Clip) -> tuple[str, str]:
        if clip.path is None:
            return 'missing', clip.problem
        path = clip.root / clip.path
        try:
            if path.stat().st_size == 0:
                return 'empty', clip.path
        except OSError as error:
            return 'unreadable', f'{clip.path}: {error.strerror}'
        if not (verify or min_frames):
            return '', ''
        frames, problem = probe_video(path)
        if problem:
            return 'unreadable', f'{clip.path}: {problem}'
        if frames < min_frames:
            return 'too short', f'{clip.path}: {frames} frames'
        return '', ''

    if verify or min_frames:
        # imported before the threads would do it at once
        import lgd_tools.video  # noqa: F401
    return run_threads(check, clips, workers, 'checking videos')


# -------------------------------------------------------------- raw frames
def count_frames(folder: Path, kind: str) -> tuple[int, str]:
    """``(frames, problem)`` of a folder of numbered pictures.

    Args:
        folder: Holds ``flow_x_00001.jpg`` and ``flow_y_00001.jpg`` ..., or
            ``img_00001.jpg`` ..., numbered from 1 without gaps.
        kind: 'flow' or 'img'.
    """
    stems = ('flow_x', 'flow_y') if kind == 'flow' else ('img',)
    names = set(os.listdir(folder))
    counts = [
        sum(n.startswith(f'{s}_') and n.endswith('.jpg') for n in names)
        for s in stems
    ]
    if not any(counts):
        return 0, f'no {stems[0]}_*.jpg'
    # the longer of x and y tells how many there should be
    for stem in stems:
        for number in range(1, max(counts) + 1):
            if (name := f'{stem}_{number:05d}.jpg') not in names:
                return 0, f'{name} is missing'
    return max(counts), ''


def find_frames(root: Path, candidates: Iterable[str]) -> str | None:
    """The first of the candidate folders that is there, None if none is."""
    for name in candidates:
        if name and (root / name).is_dir():
            return name
    return None


# ------------------------------------------------------------------ placing
def safe_name(path: str) -> str:
    """The path with blanks, and bytes that are not UTF-8, as ``_``."""
    return re.sub(r'\s+|[\ud800-\udfff]', '_', path)


class Placer:
    """Gives every clip a path under ``dest``, the configs' data_prefix.

    A clip that lies there already, under a name without blanks, keeps it;
    any other gets a symbolic link there. mmaction2's lists cannot hold
    blanks: it splits their lines at every space.

    Args:
        dest: The folder that the configs read.
        link: False makes no links; paths then stay relative to where the
            clips are, and blanks are an error.
    """

    def __init__(self, dest: Path, link: bool) -> None:
        self.dest = dest
        self.link = link
        self._taken: dict[str, Path] = {}

    def place(self, root: Path, path: str) -> str:
        """Path of ``root / path`` for the list."""
        name = safe_name(path)
        if not self.link:
            if name != path:
                raise ToolError(
                    f'{str(root / path)!r} holds blanks or odd bytes, which '
                    'a list cannot: rename it, or leave --no-link out'
                )
            return path
        if os.path.isabs(name) or '..' in name.split('/'):
            raise ToolError(
                f'{path!r} leads out of {self.dest}: correct that name in '
                'the annotation files'
            )
        source = root / path
        if self._taken.setdefault(name, source) != source:
            raise ToolError(
                f'{source} and {self._taken[name]} would both be linked as '
                f'{name}: rename one of them'
            )
        if name != path or root.resolve() != self.dest.resolve():
            self._make_link(source, self.dest / name)
        return name

    def _make_link(self, source: Path, link: Path) -> None:
        target = os.path.abspath(source)
        if link.is_symlink():
            if os.readlink(link) == target:
                return
            link.unlink()  # ours, from an earlier run over another folder
        elif link.exists():
            if link.samefile(source):
                return
            raise ToolError(
                f'{link} is in the way of a link to {source}: move it away, '
                'or use --no-link'
            )
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        except OSError as error:
            raise ToolError(
                f'cannot make the link {link} ({error.strerror}): use '
                '--no-link, and set data_prefix in the config'
            ) from None
