"""What the generators of data sets share: the folder claimed, the workers."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lgd_mmaction.files import PART
from lgd_tools.cli import ToolError, progress, read_text, write_json
from lgd_tools.jobs import Job, run_once


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
    paths = [out / folder for folder in folders]
    if not manifest.exists() and any(path.exists() for path in paths):
        raise ToolError(
            f'{out} holds videos that this tool did not make: choose another '
            'folder'
        )
    if manifest.exists() and overwrite:
        # nothing of the data set that was here may mix with the new one
        for path in paths:
            shutil.rmtree(path, ignore_errors=True)
    elif manifest.exists():
        try:
            there = dict(json.loads(read_text(manifest)))
        except (TypeError, ValueError, RecursionError):
            there = {}
        changed = [key for key in look if look[key] != there.get(key)]
        if changed:
            raise ToolError(
                f'{out} holds {what} made with another {", ".join(changed)}: '
                'choose another folder, or overwrite them with --overwrite'
            )
    for path in paths:
        for part in path.glob(f'*/.*{PART}'):
            part.unlink(missing_ok=True)
    write_json(manifest, look)


def make_all(
    make: Callable[[Any], None], jobs: Sequence, workers: int, what: str
) -> None:
    """Call a function for each job, in this process or in several.

    Args:
        make: A function of a module; writes a file, whole or not at all.
        jobs: What it gets.
        workers: Processes. With more than one, the calling script needs an
            `if __name__ == '__main__':`, as new processes import it.
        what: 'clips' or 'videos', for messages.

    Raises:
        ToolError: A worker died, or a file could not be written.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        for job in progress(jobs, what):
            make(job)
        return
    todo = [Job(str(number), (job,)) for number, job in enumerate(jobs)]
    for outcome in run_once(make, todo, workers, what).bad:
        raise ToolError(
            f'{outcome.error}: give the command again, for lack of memory '
            f'with fewer --workers; finished {what} are kept'
        )
