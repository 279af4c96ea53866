"""Which video each process of a run is reading, written where it survives."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from torch.utils.data import get_worker_info

_SLOT = 8192  # bytes; a path has at most 4096


class ReadingNotes:
    """A file with one slot for each process that reads: what it reads now.

    FFmpeg may crash or hang on a file that nothing could foresee. The note
    outlives the process that wrote it, so the others, or the next start, know
    which file that was. Slot 0 is the main process's, slot 1 + i that of data
    worker i.

    Args:
        path: The file; what it held before is gone.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._file = open(self.path, 'w+b', buffering=0)  # noqa: SIM115
        self._count = 0

    def __getstate__(self) -> dict:  # for workers that are not forked
        return {**vars(self), '_file': None}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        self._file = open(self.path, 'r+b', buffering=0)  # noqa: SIM115

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Note that this process reads a video, for as long as it does."""
        worker = get_worker_info()
        at = 0 if worker is None else _SLOT * (1 + worker.id)
        self._count += 1  # tells two reads of one video apart
        note = f'{self._count} {name}\n'.encode(errors='surrogateescape')
        self._write(note, at)
        try:
            yield
        finally:
            self._write(b'\n', at)

    def _write(self, note: bytes, at: int) -> None:
        with suppress(OSError):  # a full disk must not end the training
            os.pwrite(self._file.fileno(), note, at)

    def clear(self) -> None:
        """Forget what processes noted that are no more."""
        os.truncate(self._file.fileno(), 0)

    def now(self) -> dict[int, tuple[int, str]]:
        """Of each slot that is reading, its count of reads and the video."""
        return read_notes(self.path)


def read_notes(path: str | os.PathLike) -> dict[int, tuple[int, str]]:
    """What :meth:`ReadingNotes.now` tells, of a run that may have ended."""
    try:
        with open(path, 'rb') as file:
            data = file.read()
    except FileNotFoundError:
        return {}
    notes = {}
    for start in range(0, len(data), _SLOT):
        line = data[start : start + _SLOT].partition(b'\n')[0]
        count, _, name = line.decode(errors='surrogateescape').partition(' ')
        if count.isdigit():
            notes[start // _SLOT] = int(count), name
    return notes
