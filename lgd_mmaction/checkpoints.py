"""Which checkpoint a run resumes from: the newest complete one."""

import re
import zipfile
import zlib
from pathlib import Path

import torch

from lgd_mmaction.errors import CheckpointError
from lgd_mmaction.pickles import load_weights

# the state within an epoch; the others are named by filename_tmpl
MID_EPOCH_FILE = 'mid_epoch.pth'
_PARTS = ('meta', 'state_dict', 'message_hub', 'optimizer')


def fault_of(path: str | Path) -> str | None:
    """Why training cannot resume from a checkpoint; None if it can.

    Reads the whole file: each record of it has a check sum.
    """
    path = Path(path)
    if not path.is_file():
        return 'it does not exist'
    if path.stat().st_size == 0:
        return 'it is empty'
    checked = torch.serialization.get_crc32_options()
    try:
        if checked and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()
            if broken is not None:
                return f'its bytes are damaged (check sum of {broken})'
        # mmap: only the structure is read, the weights stay on the disk
        content = load_weights(path, mmap=True)
    except (zipfile.BadZipFile, zlib.error):
        return 'its bytes are damaged'
    except CheckpointError as error:
        reason = str(error.__cause__ or error).strip()
        reason = reason.split('\n', 1)[0].split('. ', 1)[0]
        return f'it is cut short or no checkpoint ({reason[:120]})'
    if not isinstance(content, dict):
        return f'it holds {type(content).__name__}, no checkpoint'
    missing = [part for part in _PARTS if part not in content]
    if missing:
        return f'it holds weights to load, but no {", ".join(missing)}'
    meta = content['meta']
    if not isinstance(meta, dict) or not {'epoch', 'iter'} <= meta.keys():
        return 'it does not tell its epoch and iteration'
    return None


def find_resume_point(
    work_dir: str | Path, folder: str | Path, filename_tmpl: str
) -> tuple[Path | None, list[str]]:
    """The newest complete checkpoint of a run; None: begin from the start.

    What ``last_checkpoint`` in ``work_dir`` names is taken if it is complete,
    else the newest complete one that is not newer. Without a name the state
    within an epoch comes first: the checkpoint of an epoch removes it, so it
    is the newer one. ``filename_tmpl`` is such as ``'epoch_{}.pth'``.

    Returns:
        The path, and one sentence for each that was passed over.

    Raises:
        CheckpointError: There are checkpoints, and none is complete: to
            begin anew without a word would overwrite them.
    """
    pointer, folder = Path(work_dir, 'last_checkpoint'), Path(folder)
    found = _numbered(folder, filename_tmpl)
    candidates, notes = list(found.values()), []
    text = ''
    if pointer.is_file():
        text = pointer.read_text(errors='replace').strip('\0 \n\r')
    if text:
        named = Path(text)
        limit = next((n for n, p in found.items() if p.name == named.name), 0)
        older = [p for n, p in found.items() if n < limit or not limit]
        # the second: a work directory that was moved
        candidates = dict.fromkeys([named, folder / named.name, *older])
    else:
        if (folder / MID_EPOCH_FILE).exists():
            candidates.insert(0, folder / MID_EPOCH_FILE)
        if pointer.exists() or candidates:
            state = 'is empty' if pointer.exists() else 'is missing'
            notes.append(f'{pointer} {state}')
    for path in candidates:
        fault = fault_of(path)
        if fault is None:
            return path, notes
        notes.append(f'cannot resume from {path}: {fault}')
    if notes:
        raise CheckpointError(
            f'nothing in {folder} can be resumed: {"; ".join(notes)}; copy '
            'the checkpoint again, or give another --work-dir (or leave '
            '--resume out) to begin from the start'
        )
    return None, []


def _numbered(folder: Path, filename_tmpl: str) -> dict[int, Path]:
    """The checkpoints of a folder by number, newest first."""
    name = re.compile(re.escape(filename_tmpl).replace(r'\{\}', r'(\d+)'))
    found = {
        int(match[1]): path
        for path in folder.glob('*')
        if (match := name.fullmatch(path.name))
    }
    return dict(sorted(found.items(), reverse=True))
