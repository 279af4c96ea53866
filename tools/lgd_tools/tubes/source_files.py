"""Files that annotations come in, and the videos that they describe.

:class:`Members` reads many small files out of a folder or a zip alike;
:func:`compare_files` counts the frames of videos or frame folders.
"""

import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lgd_tools.cli import ToolError, require_dir
from lgd_tools.lists.clips import ClassTree, probe_video, run_threads
from lgd_tools.tubes.sources import SourceVideo

_PICTURE = re.compile(r'(?:img_)?([0-9]{5,6})\.(?:png|jpg|jpeg)')


class Members:
    """The files of a folder or of a zip archive, whichever it is.

    Args:
        path: The folder or the zip.
        what: What they are, for messages: 'split files'.
        suffix: Only files with this ending, such as '.txt'.
        limit: Largest file that is read, in bytes.

    Raises:
        ToolError: It is missing or neither a folder nor a readable zip.
    """

    def __init__(
        self, path: Path, what: str, suffix: str, limit: int = 10**6
    ) -> None:
        self.path, self.what, self.limit = path, what, limit
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            names = [
                PurePosixPath(file).relative_to(path.as_posix())
                for file in _files_below(path)
            ]
            names = [name.as_posix() for name in names]
        elif path.is_file():
            try:
                self._zip = zipfile.ZipFile(path)
            # a damaged archive can raise nearly anything
            except Exception as e:
                raise ToolError(
                    f'{what} {path} is neither a folder nor a readable zip '
                    f'({e}): download it again, or unpack it and give the '
                    'folder'
                ) from None
            names = self._zip.namelist()
        else:
            raise ToolError(f'{what} {path} does not exist: check the path')
        # '__MACOSX/._x' and '.x' are leavings of file browsers
        self.names = sorted(
            name
            for name in names
            if name.endswith(suffix)
            and not PurePosixPath(name).name.startswith('.')
        )

    def read(self, name: str) -> bytes:
        """The content of one file.

        Raises:
            ToolError: It is too large or damaged.
        """
        try:
            if self._zip is None:
                path = self.path / name
                if not path.is_file():  # to open a pipe would never end
                    raise OSError('it is no file')
                size = path.stat().st_size
                data = path.read_bytes() if size <= self.limit else b''
            else:
                size = self._zip.getinfo(name).file_size
                data = self._zip.read(name) if size <= self.limit else b''
        # likewise; and RuntimeError where a password is needed
        except Exception as error:
            raise ToolError(
                f'{self.what} {self.path}: {name} cannot be read ({error}): '
                'download it again'
            ) from None
        if size > self.limit:
            raise ToolError(
                f'{self.what} {self.path}: {name} has {size} bytes, more than '
                f'the {self.limit} that such a file may have'
            )
        return data

    def text(self, name: str) -> str:
        """The content of one text file, with ``\\n`` line ends."""
        data = self.read(name)
        if b'\0' in data:
            raise ToolError(f'{self.path}: {name} is not a text file')
        text = data.decode('utf-8-sig', 'surrogateescape')
        return text.replace('\r\n', '\n').replace('\r', '\n')


def _files_below(root: Path) -> Iterator[str]:
    """Files of a folder, links followed; none of a folder twice.

    A link may lead to a folder around it. Links come last, so that a folder
    goes by its own name.
    """
    seen: set[str] = set()
    pending = [os.fspath(root)]
    for top in pending:  # grows on the way
        for folder, folders, files in os.walk(top):
            real = os.path.realpath(folder)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            inside = [os.path.join(folder, name) for name in folders]
            pending += [path for path in inside if os.path.islink(path)]
            for name in files:
                yield os.path.join(folder, name)


# -------------------------------------------------- videos and frame folders
@dataclass
class Found:
    """What is on disk of one video: frames and size, or a problem."""

    frames: int = 0
    width: int = 0
    height: int = 0
    problem: str = ''


def look_at_videos(
    root: Path, videos: Sequence[SourceVideo], workers: int
) -> list[Found]:
    """Open every video below ``root``, by class folder and name."""
    tree = ClassTree(require_dir(root, 'video folder'))

    def look(video: SourceVideo) -> Found:
        class_name, stem = video.name.split('/')
        path = tree.find(class_name, stem)
        if path is None:
            return Found(problem='missing')
        frames, problem = probe_video(root / path)
        if problem:
            return Found(problem=f'unreadable, {problem}')
        return Found(frames, *_size(root / path))

    return run_threads(look, videos, workers, 'looking at videos')


def look_at_frames(
    root: Path, videos: Sequence[SourceVideo], workers: int
) -> list[Found]:
    """Count the pictures ``root/<class>/<video>/00001.png`` (or jpg) ..."""
    require_dir(root, 'frame folder')

    def look(video: SourceVideo) -> Found:
        folder = root / video.name
        if not folder.is_dir():
            return Found(problem='missing')
        pictures = {}
        for name in os.listdir(folder):
            if match := _PICTURE.fullmatch(name):
                pictures[int(match[1])] = name
        if not pictures:
            return Found(problem='no picture 00001.png or 00001.jpg')
        for number in range(1, len(pictures) + 1):
            if number not in pictures:
                return Found(problem=f'picture {number:05d} is missing')
        size = _size(folder / pictures[1])
        if not all(size):
            return Found(problem=f'{pictures[1]} is unreadable')
        return Found(len(pictures), *size)

    return run_threads(look, videos, workers, 'looking at frames')


def _size(path: Path) -> tuple[int, int]:
    import av

    try:
        with av.open(os.fspath(path)) as container:
            context = container.streams.video[0].codec_context
            return context.width, context.height
    except (av.FFmpegError, ValueError, OSError, IndexError):
        return 0, 0
