"""Names of unfinished outputs, and their removal.

A result is written under a hidden name in its own folder and renamed when
complete (one atomic step, since it stays on one disk). A killed run leaves
only such hidden names behind; the next run removes them.
"""

import shutil
from pathlib import Path

PART = '.part'


def part_name(target: Path) -> Path:
    """Hidden name of an unfinished result, in the same folder."""
    return target.with_name(f'.{target.name}{PART}')


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_parts(folder: Path) -> int:
    """Delete what an earlier, killed run left unfinished; how many."""
    parts = list(folder.rglob(f'.*{PART}'))
    for path in parts:
        remove(path)
    return len(parts)
