"""Files and folders that are written whole or not at all.

A result is written under a hidden name in its own folder, reaches the disk
(fsync), and only then takes the name that readers look for (rename, which
POSIX makes atomic); the folder is synced too, so that the name survives a
power cut. A process that is killed at any moment leaves the old result or the
new one, and perhaps a hidden part.

Imports nothing but the standard library: the commands load it without torch.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

PART = '.lgd-part'


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a hidden path to write to, a file or a folder; rename it after.

    Args:
        path: What the result is called; its folder is made. What stood there
            is replaced, or kept untouched where the body raises. A link
            stays a link: what it points at is replaced.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.{uuid.uuid4().hex[:8]}{PART}')
    try:
        yield part
        _sync(part)
        if part.is_dir():
            remove(path)
        os.replace(part, path)
        with contextlib.suppress(OSError):  # some systems cannot
            _sync(path.parent)
    finally:
        remove(part)


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write a file whole; an OSError leaves what stood there untouched."""
    with atomic_path(path) as part:
        part.write_bytes(data)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_parts(results: Iterable[str | os.PathLike]) -> None:
    """Delete what killed runs left unfinished of these results.

    Of no others: another run may be writing beside them.
    """
    known = {os.path.split(result) for result in results}
    for folder in {folder for folder, _ in known}:
        for part in Path(folder).glob(f'.*{PART}'):
            # .NAME.8DIGITS.lgd-part
            if (folder, part.name[1:].rsplit('.', 2)[0]) in known:
                remove(part)
