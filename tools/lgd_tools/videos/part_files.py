"""The target folder of a run: unfinished results, and those of other options.

A result is written under a hidden name in its own folder and renamed when
complete (one atomic step, since it stays on one disk). A killed run leaves
only such hidden names behind; the next run removes them. Finished results of
other options are never mixed with new ones without being told so.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, warn

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


def require_outside(source: Path, target: Path) -> None:
    """Check that results cannot be taken for sources, or replace them.

    Raises:
        ToolError: The target is the source folder or lies inside it.
    """
    if target.resolve().is_relative_to(source.resolve()):
        raise ToolError(
            f'the target {target} is the source folder {source} or lies '
            'inside it, where the next run would take results for sources: '
            'choose a target outside'
        )


# -------------------------------------------------------------- fingerprints
def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha1(text.encode()).hexdigest()[:16]


def params_hash(params: dict[str, Any] | None) -> str:
    """Fingerprint of the parameters alone."""
    return _hash(params)


def stamp_of(
    source: str | os.PathLike | None, params: dict[str, Any] | None
) -> str:
    """Fingerprint of an input file (size, time) and the parameters."""
    size = time_ns = None
    if source is not None:
        with contextlib.suppress(OSError):
            stat = os.stat(source)
            size, time_ns = stat.st_size, stat.st_mtime_ns
    return _hash([size, time_ns, params])


def require_unmixed(
    folder: Path,
    made: Mapping[str, str],
    wanted: str,
    keys: Collection[str],
    overwrite: bool,
) -> None:
    """Check that a target holds no finished results of other parameters.

    Args:
        folder: The target, for the message.
        made: Name of each finished item -> :func:`params_hash` that it was
            made with; '' (old journals): unknown, which passes.
        wanted: :func:`params_hash` of this run.
        keys: Names of the items of this run.
        overwrite: Let this run replace its own items; only warn of others.

    Raises:
        ToolError: There are such results, and ``overwrite`` is not set.
    """
    other = [k for k, mark in made.items() if mark and mark != wanted]
    if other and not overwrite:
        raise ToolError(
            f'{folder} holds {len(other)} result(s) made with other options '
            f'({other[0]!r} is one): choose another target, or give '
            '--overwrite to make them again'
        )
    keys = set(keys)
    stay = [k for k in other if k not in keys]
    if stay:
        warn(
            f'{len(stay)} result(s) of other options stay in {folder}, '
            f'because this run does not name their videos ({stay[0]!r} is '
            'one)'
        )
