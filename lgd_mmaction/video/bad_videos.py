"""The list of the videos of a run that cannot be read."""

import fcntl
import os
import time
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
        self._found: dict[tuple[str, str], list[str]] = {}
        self._condemned: dict[tuple[str, str], str] = {}
        self._offset = 0
        if self.path is not None and self.path.exists():
            self._update()  # what earlier runs condemned
            self._found.clear()
            self._offset = self.path.stat().st_size

    def condemned(self, name: str, subset: str) -> str | None:
        """Why a video is not to be opened; None if it may be."""
        return self._condemned.get((subset, _one_line(name)))

    def add(self, name: str, reason: str, subset: str) -> bool:
        """Enter a video; False if this run has it already.

        Args:
            name: As in the annotation file.
            reason: Why it cannot be read.
            subset: 'train', 'val' or 'test'.
        """
        worker = torch.utils.data.get_worker_info()
        fields = [name, reason, subset, str(get_rank())]
        fields.append(str(-1 if worker is None else worker.id))
        fields.append(time.strftime('%Y-%m-%dT%H:%M:%S'))
        fields = [_one_line(field) for field in fields]
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
        return {
            name: line[1]
            for (kind, name), line in self._found.items()
            if kind == subset
        }

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
        key = (fields[2], fields[0])
        if fields[1].startswith(NOT_OPENED):
            self._condemned[key] = fields[1]
        if key in self._found:
            return False
        self._found[key] = fields
        return True


def _one_line(text: str) -> str:
    """A name may hold any character."""
    return ' '.join(text.split())
