"""Read a file of weights that may come from anywhere.

Nothing in it runs, memory stays in proportion to the size of the file, and
whatever is wrong is one sentence.
"""

import contextlib
import os
import pickletools
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch

from lgd_mmaction.errors import CheckpointError

# the directory of a zip is small beside the weights
_MAX_ENTRIES = 1_000_000
_LONGEST_NAME = 300
_BYTEARRAYS = ('builtins bytearray', '__builtin__ bytearray')


def load_weights(path: str | os.PathLike, mmap: bool = False) -> Any:
    """``torch.load(path, weights_only=True)`` on the CPU, in one sentence.

    Args:
        path: A local file.
        mmap: Leave the weights on the disk, where the format allows it.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is unreadable, asks for code to be run, or would
            unpack to more than its own size.
    """
    path = Path(path)
    try:
        is_zip = zipfile.is_zipfile(path)
        if is_zip:
            _require_stored(path)
        _require_plain_names(path, is_zip)
        return torch.load(
            path, map_location='cpu', weights_only=True, mmap=mmap and is_zip
        )
    except (FileNotFoundError, CheckpointError):
        raise
    # a hostile pickle can raise nearly anything
    except Exception as error:
        raise CheckpointError(_sentence(path, error)) from error


def _require_stored(path: Path) -> None:
    """Refuse an archive that unpacks to more than there is of it.

    torch stores its entries as they are, so a compressed one, or two that
    share their bytes, were made by somebody else.
    """
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        total = sum(entry.file_size for entry in entries)
        if total > size or len(entries) > _MAX_ENTRIES:
            raise CheckpointError(
                f'the checkpoint {path} cannot be read: it unpacks to '
                f'{total} bytes from a file of {size}, which no file of '
                'torch.save does; do not trust it'
            )


class _Bounded:
    """A file that makes no room for more than there can be."""

    def __init__(self, file: Any, size: int) -> None:
        self.file, self.size = file, size
        self.readline = file.readline

    def read(self, size: int) -> bytes:
        return self.file.read(min(size, self.size))


def _require_plain_names(path: Path, is_zip: bool) -> None:
    """Refuse names of functions that are longer than any, and bytearray.

    torch looks for a pattern in the message that refuses one, in a time that
    grows with the square of its length: a name of 6,000 characters takes it
    a second, one of a million hours. ``bytearray``, which torch admits and
    no weights need, makes as many bytes as it is told.
    """
    with contextlib.ExitStack() as stack:
        if is_zip:
            archive = stack.enter_context(zipfile.ZipFile(path))
            names = archive.namelist()
            [name] = [n for n in names if n.endswith('/data.pkl')][:1] or ['']
            if not name:
                return  # torch says what is wrong
            files = [stack.enter_context(archive.open(name))]
        else:  # the old format begins with five pickles
            files = [stack.enter_context(path.open('rb'))] * 5
        for file in files:
            bounded = _Bounded(file, path.stat().st_size)
            try:
                for opcode, text, _ in pickletools.genops(bounded):
                    if opcode.name == 'GLOBAL' and len(text) > _LONGEST_NAME:
                        raise CheckpointError(
                            f'the checkpoint {path} cannot be read: it asks '
                            f'for {text[:60]}..., which is no name; do not '
                            'trust it'
                        )
                    if opcode.name == 'GLOBAL' and text in _BYTEARRAYS:
                        raise CheckpointError(
                            f'the checkpoint {path} cannot be read: it asks '
                            'for a bytearray, which no weights need; do not '
                            'trust it'
                        )
            except (ValueError, IndexError, struct.error, EOFError):
                return  # damaged: torch says where


def _sentence(path: Path, error: Exception) -> str:
    reason = _reason(str(error))
    asked = re.search(r'GLOBAL (\S+)', reason)
    if asked or 'do not trust' in reason:
        what = f'asks for {asked[1]}' if asked else reason.split(',', 1)[0]
        return (
            f'the checkpoint {path} cannot be read: it {what}, which no '
            'weights need and which may run code, so it was not loaded; take '
            'a file that mmengine or torch.save(model.state_dict()) wrote'
        )
    return (
        f'the checkpoint {path} cannot be read ({type(error).__name__}: '
        f'{reason}): it may be cut short or no checkpoint at all, so copy or '
        'download it again'
    )


def _reason(text: str) -> str:
    """What was wrong, out of torch's page of advice; one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for i, line in enumerate(lines):
        if line.startswith('Trying to load unsupported GLOBAL'):
            return line
        if 'WeightsUnpickler error:' in line:
            rest = line.split('WeightsUnpickler error:', 1)[1].strip()
            return (rest or ''.join(lines[i + 1 : i + 2])).removeprefix('it ')
    return lines[0].split('. ', 1)[0][:200] if lines else 'no reason given'
