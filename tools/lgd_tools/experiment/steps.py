"""Steps that can be interrupted: markers, fingerprints, a lock.

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
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, file_sha256, write_json

ROOT = Path(__file__).resolve().parents[3]
GRACE = 30.0  # seconds in which a child may end after it was told to


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
        if not path.exists():
            return None
        return json.loads(path.read_text(encoding='utf-8'))

    def done(self, key: str, inputs: Mapping[str, Any]) -> dict | None:
        """The marker where the step is done and nothing changed since."""
        marker = self.read(key)
        if marker is None or marker['state'] != 'done':
            return None
        whole = all(
            os.path.isfile(path) and file_sha256(path) == digest
            for path, digest in marker['outputs'].items()
        )
        return marker if whole and not changed(marker, inputs) else None

    def start(
        self, key: str, inputs: Mapping[str, Any], command: Sequence[str]
    ) -> None:
        """Record that a step begins, or goes on, from these inputs."""
        marker = {'step': key, 'state': 'started', 'inputs': inputs}
        marker |= {'outputs': {}, 'command': command, 'started': _now()}
        marker['versions'] = self.versions
        write_json(self.folder / f'{key}.json', marker)

    def finish(self, key: str, outputs: Sequence[Path]) -> dict:
        """Record that a started step is done; return its marker."""
        marker = {**self.read(key), 'state': 'done', 'finished': _now()}
        marker['outputs'] = {str(path): file_sha256(path) for path in outputs}
        write_json(self.folder / f'{key}.json', marker)
        return marker


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


def changed(marker: dict, inputs: Mapping[str, Any]) -> list[str]:
    """Names of the inputs that differ from those in a marker."""
    new = json.loads(json.dumps(inputs))  # as the marker went
    old = marker['inputs']
    return sorted(k for k in old | new if old.get(k) != new.get(k))


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
