"""What the generators of data sets share: the folder claimed, the workers."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from lgd_mmaction.files import PART
from lgd_tools.cli import ToolError, progress, read_text, write_json
from lgd_tools.jobs import Job, run_once


def claim_folder(
    manifest: Path, look: dict[str, Any], folders: Iterable[Path]
) -> None:
    """Write the parameters, or check them against those that are there.

    They are all that decides how a video looks: neither the classes nor the
    counts, where a video does not depend on the others. Half-written files
    that a killed run left in the folders of the results are removed.
    """
    if manifest.exists():
        try:
            there = json.loads(read_text(manifest))
        except (ValueError, RecursionError):
            there = None
        if there != look:
            raise ToolError(
                f'{manifest} tells of videos made with other options: remove '
                'that folder, or choose another'
            )
    elif any(folder.exists() for folder in folders):
        raise ToolError(
            f'{manifest.parent} holds videos that this tool did not make: '
            'choose another folder'
        )
    for folder in folders:
        for part in folder.rglob(f'.*{PART}'):
            part.unlink(missing_ok=True)
    write_json(manifest, look)


def make_all(
    make: Callable[[Any], None], jobs: Sequence, workers: int, what: str
) -> None:
    """Call a module's function for each job, in one process or several."""
    if workers == 1:
        for job in progress(jobs, what):
            make(job)
        return
    todo = [Job(str(number), (job,)) for number, job in enumerate(jobs)]
    for outcome in run_once(make, todo, workers, what).bad:
        raise ToolError(
            f'{outcome.error}: give the command again, for lack of memory '
            f'with fewer --workers; finished {what} are kept'
        )
