"""Steps that can be interrupted: markers, fingerprints, a lock.

Every step of an experiment has a marker file that holds what the step was
made from (hashes) and what it made. A step is done when its marker says so,
its inputs are still the same and its outputs still there, unchanged; then it
is skipped. Markers are written atomically, after the outputs.
"""

import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, file_sha256, write_json

ROOT = Path(__file__).resolve().parents[3]
# how long a child may take to end after it was told to, in seconds
GRACE = 30.0


def json_sha256(data: Any) -> str:
    """SHA-256 of the canonical JSON text of some data."""
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class StepStore:
    """The markers of one experiment, one JSON file a step.

    Args:
        folder: Where the markers lie.
        versions: What is installed; every marker records it.
    """

    def __init__(self, folder: Path, versions: Mapping[str, Any]) -> None:
        self.folder = folder
        self.versions = dict(versions)

    def read(self, key: str) -> dict | None:
        """The marker of a step, or None where it never started."""
        path = self.folder / f'{key}.json'
        try:
            marker = json.loads(path.read_text(encoding='utf-8'))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            marker = None
        if not isinstance(marker, dict) or not all(
            isinstance(marker.get(part), dict)
            for part in ('inputs', 'outputs')
        ):
            raise ToolError(
                f'{path} is no marker of this tool; remove it and run again'
            )
        return marker

    def done(self, key: str, inputs: Mapping[str, Any]) -> dict | None:
        """The marker where the step is done and nothing changed since."""
        marker = self.read(key)
        if (
            marker is None
            or marker.get('state') != 'done'
            or changed_inputs(marker, inputs)
            or not all(
                os.path.isfile(path) and file_sha256(path) == digest
                for path, digest in marker['outputs'].items()
            )
        ):
            return None
        return marker

    def start(
        self, key: str, inputs: Mapping[str, Any], command: Sequence[str] = ()
    ) -> None:
        """Record that a step begins, or goes on, from these inputs."""
        marker = {
            'step': key,
            'state': 'started',
            'inputs': dict(inputs),
            'outputs': {},
            'command': list(command),
            'started': _now(),
            'versions': self.versions,
        }
        write_json(self.folder / f'{key}.json', marker)

    def finish(
        self, key: str, outputs: Sequence[Path] = (), notes: Any = None
    ) -> dict:
        """Record that a started step is done; return its marker."""
        marker = {
            **self.read(key),
            'state': 'done',
            'finished': _now(),
            'outputs': {str(p): file_sha256(p) for p in outputs},
            'notes': notes,
        }
        write_json(self.folder / f'{key}.json', marker)
        return marker


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


def changed_inputs(marker: dict, inputs: Mapping[str, Any]) -> list[str]:
    """Names of the inputs that differ from those in a marker."""
    fresh = json.loads(json.dumps(inputs))  # as the marker went
    old = marker['inputs']
    return sorted(
        k for k in old.keys() | fresh.keys() if old.get(k) != fresh.get(k)
    )


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Keep a second runner out of a folder; gives the lock's descriptor.

    The lock is handed on to the children, so that a training which outlives
    a killed runner keeps the folder locked until it ends.

    Raises:
        ToolError: Somebody else has it.
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
    """Run a command in the foreground; its output goes to the terminal.

    However this function is left, the command has ended.

    Raises:
        ToolError: The command failed.
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
