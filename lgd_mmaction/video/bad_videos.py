"""The list of the videos of a run that cannot be read."""

import fcntl
import os
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.logging import print_log

# begins the reason of a video that crashed or hung its reader
NOT_OPENED = 'not opened again: '


class BadVideoList:
    """The broken videos of a run, shared by all its processes.

    A text file to which every process appends under a lock, and from which
    it reads what the others found: so a video is logged once, and all count
    alike. One line a video, columns separated by tabs: name (as in the
    annotation file), reason, subset, rank, data worker (-1: none), time.
    What stood in the file when the list was made, of an earlier run, is kept
    and not counted: a run that is resumed finds and lists its broken videos
    again. Only those on which a reader crashed or hung are remembered, and
    not opened: their reason says so. To try one again, take out its line.

    Args:
        path: The file, made when the first video is found; None keeps the
            list in memory, for this process alone.
    """

    def __init__(self, path: str | os.PathLike | None = None) -> None:
        self.path = None if path is None else Path(path)
        # reasons by subset, then by name
        self._found: dict[str, dict[str, str]] = defaultdict(dict)
        self._condemned: dict[str, dict[str, str]] = defaultdict(dict)
        self._offset = 0
        if self.path is not None and self.path.exists():
            self._update()  # what earlier runs condemned
            self._found.clear()
            self._offset = self.path.stat().st_size

    def condemned(self, name: str, subset: str) -> str | None:
        """Why a video is not to be opened; None if it may be."""
        return self._condemned[subset].get(_one_line(name))

    def add(self, name: str, reason: str, subset: str) -> bool:
        """Enter a video of 'train', 'val' or 'test'.

        Returns:
            False if this run has it already.
        """
        worker = torch.utils.data.get_worker_info()
        number = -1 if worker is None else worker.id
        now = time.strftime('%Y-%m-%dT%H:%M:%S')
        fields = [name, reason, subset, get_rank(), number, now]
        fields = [_one_line(str(field)) for field in fields]
        if self.path is None:
            return self._enter(fields)
        try:
            with open(self.path, 'a+b') as file:
                # a file system without locks: a video may be listed twice
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
                self._read(file)
                if not self._enter(fields):
                    return False
                line = '\t'.join(fields) + '\n'
                file.write(line.encode(errors='surrogateescape'))
                file.flush()
                self._offset = file.seek(0, os.SEEK_END)
        except OSError as error:  # a full disk must not end the training
            print_log(
                f'{self.path} cannot be written ({error.strerror}); broken '
                'videos are now counted by each process alone',
                logger='current',
                level=30,
            )
            self.path = None
            self._enter(fields)
        return True

    def found(self, subset: str) -> dict[str, str]:
        """Names and reasons of the videos of a subset, all processes."""
        self._update()
        return dict(self._found[subset])

    def _update(self) -> None:
        if self.path is not None and self.path.exists():
            with open(self.path, 'rb') as file:
                self._read(file)

    def _read(self, file) -> None:
        """What other processes wrote since."""
        file.seek(self._offset)
        data = file.read()
        whole = data[: data.rfind(b'\n') + 1]
        self._offset += len(whole)
        for line in whole.decode(errors='surrogateescape').splitlines():
            fields = line.split('\t')
            if len(fields) == 6:
                self._enter(fields)

    def _enter(self, fields: list[str]) -> bool:
        name, reason, subset, *_ = fields
        if reason.startswith(NOT_OPENED):
            self._condemned[subset][name] = reason
        is_new = name not in self._found[subset]
        self._found[subset].setdefault(name, reason)
        return is_new


def _one_line(text: str) -> str:
    """A name may hold any character."""
    return ' '.join(text.split())
