"""Clips that the user leaves out by name, ``--exclude``."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from lgd_tools.cli import is_video, printable, read_lines
from lgd_tools.lists.clips import Clip, name_key, safe_name


def exclude_key(name: str) -> str:
    """A name as it is compared: :func:`name_key`, any path separator."""
    # lists write bytes that are not UTF-8 as \udcxx; that is no separator
    name = re.sub(r'\\(?!udc[89a-f])', '/', name)
    return name_key(name.removeprefix('./'))


class Exclusion:
    """Names of videos that no list may hold.

    A name is a path relative to the folder of the videos, as the finder of
    the converter sees it, or relative to the folder above it (``train/x``),
    or to the data folder of the configs (``videos_train/x``).

    Args:
        files: Lists, one name a line: bad.txt of check_videos.py.
        any_extension: ``x.avi`` excludes the clip of ``x.mp4`` too, the
            same clip encoded again. False where they are two clips.
    """

    def __init__(self, files: Sequence[Path], any_extension: bool) -> None:
        self.any_extension = any_extension
        self._texts: dict[str, set[str]] = defaultdict(set)
        self._matched: set[str] = set()
        for path in files:
            for _, text in read_lines(path, 'list of excluded videos'):
                cut = any_extension and is_video(f'x{text}')
                name = os.path.splitext(text)[0] if cut else text
                self._texts[exclude_key(name)].add(text)

    def covers(self, clip: Clip, stems: Iterable[str], dest: str) -> bool:
        """Whether a clip is to be left out.

        Args:
            clip: The clip.
            stems: Names without extension that its files may have.
            dest: The configs' data_prefix under the data folder.
        """
        if not self._texts:
            return False
        names = set(stems) if self.any_extension else {clip.path or clip.name}
        names |= {safe_name(name) for name in names}
        names |= {printable(name) for name in names}
        folders = ['', f'{dest}/']
        if clip.root is not None:
            folders.append(f'{clip.root.name}/')
        keys = {exclude_key(f'{f}{name}') for f in folders for name in names}
        matched = keys & self._texts.keys()
        self._matched |= matched
        return bool(matched)

    def unmatched(self) -> list[str]:
        """The names that were no clip's, sorted."""
        keys = self._texts.keys() - self._matched
        return sorted(text for key in keys for text in self._texts[key])
