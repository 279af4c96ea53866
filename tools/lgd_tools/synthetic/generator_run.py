"""What the generators of data sets share: the folder claimed, the workers."""

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, read_text, write_json


def claim_folder(
    manifest: Path,
    look: dict[str, Any],
    what: str,
    folders: Sequence[str],
    overwrite: bool,
) -> None:
    """Write the parameters, or check them against those that are there.

    Args:
        manifest: File of the parameters, in the folder of the data set.
        look: Everything that decides how a video looks. Neither the classes
            nor the counts, where a video does not depend on the others.
        what: 'clips' or 'videos', for messages.
        folders: Folders of results beside the manifest. Half-written files
            that a killed run left in them are removed.
        overwrite: Remove what this tool made there, of any parameters.

    Raises:
        ToolError: The folder holds a data set made with other parameters, or
            videos that no generator made.
    """
    out = manifest.parent
    if manifest.exists() and not overwrite:
        try:
            there = json.loads(read_text(manifest))
        except (ValueError, RecursionError):
            there = {}
        there = there if isinstance(there, dict) else {}
        changed = [key for key in look if look[key] != there.get(key)]
        if changed:
            raise ToolError(
                f'{out} holds {what} made with another {", ".join(changed)}: '
                'choose another folder, or overwrite them with --overwrite'
            )
    elif not manifest.exists() and any((out / f).exists() for f in folders):
        raise ToolError(
            f'{out} holds videos that this tool did not make: choose another '
            'folder'
        )
    if overwrite and manifest.exists():
        # nothing of the data set that was here may mix with the new one
        for folder in folders:
            shutil.rmtree(out / folder, ignore_errors=True)
    for folder in folders:
        for part in (out / folder).glob('*/.*.part'):
            part.unlink(missing_ok=True)
    write_json(manifest, look)


def make_all(
    make: Callable[[Any], None], jobs: Sequence, workers: int, what: str
) -> Iterator[None]:
    """Call a function for each job, in this process or in several.

    Args:
        make: A function of a module; writes a file, whole or not at all.
        jobs: What it gets.
        workers: Processes. With more than one, the calling script needs an
            `if __name__ == '__main__':`, as new processes import it.
        what: 'clips' or 'videos', for messages.

    Raises:
        ToolError: A worker died.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(make, jobs)
        return
    # spawn: forking a process that runs threads (torch, OpenCV) may hang
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context('spawn')
    )
    try:
        yield from pool.map(make, jobs, chunksize=4)
    except BrokenProcessPool as error:
        raise ToolError(
            'a worker process died, perhaps for lack of memory: give the '
            f'command again with fewer --workers; finished {what} are kept'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
