"""Files that are written whole or not at all.

The bytes go to a hidden file in the same folder, reach the disk (fsync), and
only then take the name that readers look for (rename, which POSIX makes
atomic); the folder is synced too, so that the name survives a power cut. A
process that is killed at any moment leaves the old file or the new one, and
perhaps a hidden part that :func:`remove_parts` takes away.
"""

import contextlib
import os
import uuid
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from lgd_mmaction.errors import CheckpointError

PART_SUFFIX = '.lgd-part'
_CHUNK = 16 << 20  # bytes a write


def write_atomic(path: str | os.PathLike, content: bytes) -> None:
    """Write a file so that its name always stands for a complete one.

    Args:
        path: The file; what stood there before is replaced at the end.
        content: All of its bytes.

    Raises:
        OSError: The disk is full, or the folder cannot be written. What
            stood under the name before is untouched.
    """
    # a link stays a link: what it points at is replaced
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f'.{path.name}.{uuid.uuid4().hex[:8]}{PART_SUFFIX}'
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(fd, view[:_CHUNK]) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk; some systems cannot."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def remove_parts(folder: str | Path) -> list[Path]:
    """Remove the hidden parts that killed processes left in a folder."""
    removed = []
    for part in sorted(Path(folder).glob(f'.*{PART_SUFFIX}')):
        with contextlib.suppress(OSError):
            part.unlink()
            removed.append(part)
    return removed


@register_backend('lgd_atomic', force=True)
class AtomicBackend(LocalBackend):
    """mmengine's backend of the local disk, with atomic writes.

    ``backend_args=dict(backend='lgd_atomic')`` chooses it wherever mmengine
    takes ``backend_args``; ``SafeCheckpointHook`` does so by itself.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; one sentence when the disk does not take them."""
        try:
            write_atomic(filepath, obj)
        except OSError as error:
            raise CheckpointError(
                f'{filepath} ({len(obj) / 2**20:.1f} MiB) could not be '
                f'written: {error.strerror or error}; earlier checkpoints '
                'are untouched, so make room or mend the folder and run the '
                'same command with --resume auto'
            ) from error

    def put_text(
        self, obj: str, filepath: str | Path, encoding: str = 'utf-8'
    ) -> None:
        """Write text, as :meth:`put`."""
        self.put(obj.encode(encoding), filepath)
