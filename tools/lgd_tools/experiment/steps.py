"""Steps that can be interrupted: markers, fingerprints, a lock.

Every step of an experiment has a marker file that holds what the step was
made from (hashes) and what it made. A step is done when its marker says so,
its inputs are still the same and its outputs still there, unchanged; then it
is skipped. Markers are written atomically, after the outputs.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import Any

from lgd_tools.cli import ToolError, file_sha256, write_json

_ROOT = Path(__file__).resolve().parents[3]
# how long a child may take to end after it was told to, in seconds
GRACE = 30.0


def json_sha256(data: Any) -> str:
    """SHA-256 of the canonical JSON text of some data."""
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


class StepStore:
    """The markers of one experiment, one JSON file a step.

    Args:
        folder: Where the markers lie.
        versions: What is installed; every marker records it.
    """

    def __init__(self, folder: Path, versions: Mapping[str, Any]) -> None:
        self.folder = folder
        self.versions = dict(versions)
        self._began: dict[str, float] = {}

    def path(self, key: str) -> Path:
        """The marker file of a step."""
        return self.folder / f'{key}.json'

    def read(self, key: str) -> dict | None:
        """The marker of a step, or None where it never started."""
        path = self.path(key)
        try:
            marker = json.loads(path.read_text(encoding='utf-8'))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            marker = None
        if not _is_marker(marker, key):
            raise ToolError(
                f'{path} is no marker of this tool; remove it and run again'
            )
        return marker

    def done(self, key: str, inputs: Mapping[str, Any]) -> dict | None:
        """The marker where the step is done and nothing changed since."""
        marker = self.read(key)
        if marker is None or marker['state'] != 'done':
            return None
        if changed_inputs(marker, inputs):
            return None
        for path, digest in marker['outputs'].items():
            if not os.path.isfile(path) or file_sha256(path) != digest:
                return None
        return marker

    def start(
        self, key: str, inputs: Mapping[str, Any], command: Sequence[str] = ()
    ) -> None:
        """Records that a step begins, or goes on, from these inputs."""
        earlier = self.read(key)
        same = earlier is not None and not changed_inputs(earlier, inputs)
        runs = earlier['runs'] if earlier is not None and same else 0
        self._began[key] = time.monotonic()
        self._write(
            key,
            {
                'state': 'started',
                'inputs': dict(inputs),
                'command': list(command),
                'runs': runs + 1,
                'started': now(),
            },
        )

    def finish(
        self,
        key: str,
        outputs: Sequence[str | Path] = (),
        notes: Mapping[str, Any] | None = None,
    ) -> dict:
        """Records that a started step is done; returns its marker."""
        marker = self.read(key)
        assert marker is not None and marker['state'] == 'started'
        marker.update(
            state='done',
            finished=now(),
            seconds_of_last_run=round(time.monotonic() - self._began[key], 1),
            outputs={str(p): file_sha256(p) for p in outputs},
            notes=dict(notes or {}),
        )
        self._write(key, marker)
        return marker

    def forget(self, key: str) -> None:
        """Removes the marker of a step."""
        self.path(key).unlink(missing_ok=True)

    def _write(self, key: str, marker: dict) -> None:
        marker = {'step': key, **marker, 'versions': self.versions}
        write_json(self.path(key), marker)


def _is_marker(marker: Any, key: str) -> bool:
    """Whether a file holds what `StepStore` writes into a marker."""
    return (
        isinstance(marker, dict)
        and marker.get('step') == key
        and marker.get('state') in ('started', 'done')
        and isinstance(marker.get('inputs'), dict)
        and type(marker.get('runs')) is int
        and (
            marker['state'] == 'started'
            or isinstance(marker.get('outputs'), dict)
        )
    )


def changed_inputs(marker: dict, inputs: Mapping[str, Any]) -> list[str]:
    """Names of the inputs that differ from those in a marker."""
    # through JSON, as the marker went
    fresh = json.loads(json.dumps(dict(inputs)))
    old = marker['inputs']
    return sorted(
        k for k in old.keys() | fresh.keys() if old.get(k) != fresh.get(k)
    )


@contextmanager
def locked(folder: Path) -> Iterator[int | None]:
    """Keeps a second runner out of a folder; yields the lock's descriptor.

    The lock is handed on to the children, so that a training which outlives
    a killed runner keeps the folder locked until it ends.

    Raises:
        ToolError: Somebody else has it.
    """
    try:
        import fcntl
    except ImportError:  # no such lock on this system
        yield None
        return
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


@contextmanager
def end_on_sigterm() -> Iterator[None]:
    """Turns SIGTERM (a queue that ends a job) into an orderly exit."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_command(
    title: str, command: Sequence[str], lock: int | None = None
) -> None:
    """Runs a command in the foreground; its output goes to the terminal.

    However this function is left, the command has ended.

    Raises:
        ToolError: The command failed.
    """
    kept = () if lock is None else (lock,)
    # a checkout works without being installed, as with dist_train.sh
    paths = [str(_ROOT), os.environ.get('PYTHONPATH', '')]
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))}
    sys.stdout.flush()
    with subprocess.Popen(list(command), pass_fds=kept, env=env) as process:
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
        how = f'signal {-code}' if code < 0 else f'exit code {code}'
        raise ToolError(
            f'{title} ended with {how} (its output is above); mend the '
            'cause and run the same command again, which goes on from here'
        )
