"""Which video a process was reading when it crashed or hung."""

import faulthandler
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmengine.dist import get_rank
from torch.utils.data import get_worker_info

_BEGIN = 'reading '


class ReadingNotes:
    """Notes which video each process reads, where a crash adds its cause.

    FFmpeg may crash or hang on a file that nothing could foresee. So each
    process, data workers too, writes the name of what it reads into a file
    of its own, ``.reading_<subset>_<rank>_<worker>`` in the folder; there
    Python's ``faulthandler`` adds a line when the process crashes, and also
    ends a process that reads one sample longer than the limit, in seconds.
    """

    def __init__(
        self, folder: str | os.PathLike, subset: str, time_limit: float
    ) -> None:
        self.begin = str(Path(folder, f'.reading_{subset}_{get_rank()}'))
        self.time_limit = time_limit
        self._file, self._pid = None, -1

    def __getstate__(self) -> dict:  # for workers that are not forked
        return vars(self) | {'_file': None, '_pid': -1}

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Note that this process reads a video, for as long as it does."""
        if self._pid != os.getpid():
            worker = get_worker_info()
            number = 'main' if worker is None else worker.id
            self._file = open(f'{self.begin}_{number}', 'ab', 0)  # noqa: SIM115
            self._pid = os.getpid()
        self._note(f'{_BEGIN}{name}\n')
        # of several in one process, the one that reads
        faulthandler.enable(self._file)
        faulthandler.dump_traceback_later(
            self.time_limit, exit=True, file=self._file
        )
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            self._note('')

    def _note(self, text: str) -> None:
        with suppress(OSError):  # a full disk must not end the training
            self._file.truncate(0)
            self._file.write(text.encode(errors='surrogateescape'))


def take_crashes(folder: str | os.PathLike) -> list[tuple[str, str, str]]:
    """(subset, video, cause) of processes of this rank that crashed or hung.

    What only killed a process left no cause. The notes are removed.
    """
    found = []
    for path in sorted(Path(folder).glob(f'.reading_*_{get_rank()}_*')):
        text = path.read_bytes().decode(errors='surrogateescape')
        note, _, cause = text.partition('\n')
        if note.startswith(_BEGIN) and cause.strip():
            subset, name = path.name.split('_')[1], note.removeprefix(_BEGIN)
            found.append((subset, name, cause.splitlines()[0]))
            path.unlink()
    return found
