"""Which checkpoint a run resumes from: the newest complete one."""

import os
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from lgd_mmaction.errors import CheckpointError
from lgd_mmaction.pickles import load_weights

# the state within an epoch; the others are named by filename_tmpl
MID_EPOCH_FILE = 'mid_epoch.pth'
_PARTS = ('meta', 'state_dict', 'message_hub', 'optimizer')


@dataclass
class ResumePoint:
    """Where to resume.

    Attributes:
        path: The checkpoint, or None: begin from the start.
        notes: One sentence for each checkpoint that was passed over.
    """

    path: Path | None
    notes: list[str] = field(default_factory=list)


def fault_of(path: str | Path) -> str | None:
    """Why training cannot resume from a checkpoint; None if it can.

    Reads the whole file: each record of it has a check sum.

    Args:
        path: A file that ``Runner.save_checkpoint`` may have written.
    """
    import torch  # not for `--help` of a command

    path = Path(path)
    if not path.is_file():
        return 'it does not exist'
    try:
        zipped = zipfile.is_zipfile(path)
        if zipped and torch.serialization.get_crc32_options():
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()
            if broken is not None:
                return f'its bytes are damaged (check sum of {broken})'
        # mmap: only the structure is read, the weights stay on the disk
        content = load_weights(path, mmap=True)
    except (zipfile.BadZipFile, zlib.error):
        return 'its bytes are damaged'
    except Exception as error:
        if path.stat().st_size == 0:
            return 'it is empty'
        error = error.__cause__ or error
        reason = str(error).strip().split('\n', 1)[0].split('. ', 1)[0]
        return (
            'it is cut short or no checkpoint '
            f'({type(error).__name__}: {reason[:120]})'
        )
    if not isinstance(content, dict):
        return f'it holds {type(content).__name__}, no checkpoint'
    missing = [part for part in _PARTS if part not in content]
    if missing:
        return f'it holds weights to load, but no {", ".join(missing)}'
    if not {'epoch', 'iter'} <= content['meta'].keys():
        return 'it does not tell its epoch and iteration'
    return None


def checkpoint_folder(work_dir: str, out_dir: str | None) -> Path:
    """Where stock's CheckpointHook puts the checkpoints of a run.

    Args:
        work_dir: The absolute work directory.
        out_dir: The hook's argument.
    """
    if out_dir is None or out_dir == work_dir:
        return Path(work_dir)
    return Path(out_dir) / Path(work_dir).name


def is_begun(
    work_dir: str | Path, folder: str | Path, filename_tmpl: str
) -> bool:
    """Whether a run left anything that :func:`find_resume_point` looks at.

    Args:
        work_dir: Where ``last_checkpoint`` is.
        folder: Where the checkpoints are.
        filename_tmpl: Their name, such as ``'epoch_{}.pth'``.
    """
    return (
        Path(work_dir, 'last_checkpoint').exists()
        or Path(folder, MID_EPOCH_FILE).exists()
        or bool(_numbered(Path(folder), filename_tmpl))
    )


def find_resume_point(
    work_dir: str | Path, folder: str | Path, filename_tmpl: str
) -> ResumePoint:
    """The newest complete checkpoint of a run.

    What ``last_checkpoint`` names is taken if it is complete. Else the
    newest complete one that is not newer is taken, and the notes say so.
    Without a name the state within an epoch comes first: the checkpoint of
    an epoch removes it, so it is the newer one.

    Args:
        work_dir: Where ``last_checkpoint`` is.
        folder: Where the checkpoints are.
        filename_tmpl: Their name, such as ``'epoch_{}.pth'``.

    Raises:
        CheckpointError: There are checkpoints, and none is complete: to
            begin anew without a word would overwrite them.
    """
    pointer = Path(work_dir) / 'last_checkpoint'
    notes, named = [], None
    if pointer.is_file():
        text = pointer.read_text(errors='replace').strip('\0 \n\r')
        named = Path(text) if text else None
        if named is None:
            notes.append(f'{pointer} is empty')
    found = _numbered(Path(folder), filename_tmpl)
    candidates = [path for _, path in found]
    middle = Path(folder) / MID_EPOCH_FILE
    if named is None and middle.exists():
        candidates.insert(0, middle)
    if candidates and not pointer.exists():
        notes.append(f'{pointer} is missing')
    if named is not None:
        limit = next((n for n, path in found if path.name == named.name), None)
        if limit is not None:
            candidates = [path for n, path in found if n < limit]
        # a work directory that was moved
        here = Path(folder) / named.name
        candidates = [named, *([here] if here != named else []), *candidates]
    for path in candidates:
        fault = fault_of(path)
        if fault is None:
            return ResumePoint(path, notes)
        notes.append(f'cannot resume from {path}: {fault}')
    if notes:
        raise CheckpointError(
            f'nothing in {folder} can be resumed: {"; ".join(notes)}; copy '
            'the checkpoint again, or give another --work-dir (or leave '
            '--resume out) to begin from the start'
        )
    return ResumePoint(None)


def _numbered(folder: Path, filename_tmpl: str) -> list[tuple[int, Path]]:
    """The checkpoints of a folder with their numbers, newest first."""
    head, _, tail = os.path.basename(filename_tmpl).partition('{}')
    name = re.compile(rf'{re.escape(head)}(\d+){re.escape(tail)}')
    found = []
    for path in folder.glob(f'{head}*{tail}'):
        match = name.fullmatch(path.name)
        if match:
            found.append((int(match[1]), path))
    return sorted(found, reverse=True)
