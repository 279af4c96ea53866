"""Run a script in a fork of this process, which has everything imported.

Importing torch and mmaction2 anew takes seconds; where a test asks what a
script does, and not how it starts, a fork answers as a new process does.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def _child(
    folder: Path, logs: list[Path], argv: list[str], env: Mapping[str, str]
) -> None:
    os.environ.update(env)
    for number, log in enumerate(logs, 1):
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, number)
    sys.stdout, sys.stderr = os.fdopen(1, 'w'), os.fdopen(2, 'w')
    os.chdir(folder)
    sys.argv = argv
    runpy.run_path(argv[0], run_name='__main__')


def run_forked(
    script: Path,
    *args: object,
    cwd: Path,
    logs: Path,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess:
    """What ``python SCRIPT ARGS`` says and how it ends.

    Args:
        script: The script.
        args: Its arguments.
        cwd: Where it runs.
        logs: Folder of what it says.
        env: Further variables of the environment.
    """
    argv = [str(script), *map(str, args)]
    files = [logs / 'stdout.txt', logs / 'stderr.txt']
    process = multiprocessing.get_context('fork').Process(
        target=_child, args=(cwd, files, argv, env or {})
    )
    process.start()
    process.join()
    said = [file.read_text() for file in files]
    return subprocess.CompletedProcess(argv, process.exitcode, *said)
