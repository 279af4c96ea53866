"""Steps that can be interrupted: markers, a lock, commands.

A step is done when its marker says so, its inputs are still the same and its
outputs still there, unchanged. Markers are written after the outputs.
"""

import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, file_sha256

ROOT = Path(__file__).resolve().parents[3]
GRACE = 30.0  # seconds in which a child may end after it was told to


def json_sha256(data: Any) -> str:
    """SHA-256 of the canonical JSON text of some data."""
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def changed(marker: dict, inputs: Mapping[str, Any]) -> list[str]:
    """Names of the inputs that differ from those in a marker."""
    new = json.loads(json.dumps(inputs))  # as the marker went
    old = marker['inputs']
    return sorted(k for k in old | new if old.get(k) != new.get(k))


def is_done(marker: dict, inputs: Mapping[str, Any]) -> bool:
    """Whether a step is done and nothing changed since."""
    return (
        marker['state'] == 'done'
        and not changed(marker, inputs)
        and all(
            os.path.isfile(path) and file_sha256(path) == digest
            for path, digest in marker['outputs'].items()
        )
    )


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Keep a second runner out of a folder; gives the lock's descriptor.

    The lock is handed on to the children, so that a training which outlives
    a killed runner keeps the folder locked until it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / '.lock', 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ToolError(
                f'{folder} is in use by another run_experiment.py or by a '
                'training that it started; wait for it or stop it'
            ) from None
        yield file.fileno()


def run_command(title: str, command: Sequence[str], lock: int) -> None:
    """Run a command in the foreground; ToolError where it failed.

    However this function is left, the command has ended.
    """
    # a checkout works without being installed, as with dist_train.sh
    paths = filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(paths)}
    with subprocess.Popen(command, pass_fds=[lock], env=env) as process:
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if code:
        raise ToolError(
            f'{title} ended with code {code} (its output is above); mend the '
            'cause and run the same command again, which goes on from here'
        )
