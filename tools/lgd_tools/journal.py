"""What a run has finished: one JSON object a line; the last one of a key wins.

A later run skips an item when its input (size and modification time) and the
parameters are the same and its output is still there. The journal is locked
while a run lasts, so that two runs cannot write the same outputs. The parts
of a run that was shared out (``--shard 2/8``) keep journals of their own
beside it, ``NAME.2of8.jsonl`` for ``NAME.jsonl``.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lgd_tools.cli import EXIT_INCOMPLETE, EXIT_OK, ToolError, warn

DONE, FAILED, CRASHED, TIMEOUT = 'done', 'failed', 'crashed', 'timeout'


@dataclass
class Outcome:
    """What became of one item; one line of the journal."""

    key: str
    status: str
    result: dict[str, Any] | None = None
    error: str = ''
    seconds: float = 0.0
    stamp: str = ''
    params: str = ''

    def is_sound(self) -> bool:
        """Whether the fields are what a journal holds."""
        texts = (self.key, self.status, self.error, self.stamp, self.params)
        made = self.result is None or isinstance(self.result, dict)
        return made and all(isinstance(text, str) for text in texts)


@dataclass
class Report:
    """All outcomes of a run, in the order of the jobs."""

    outcomes: list[Outcome] = field(default_factory=list)
    skipped: int = 0

    @property
    def done(self) -> list[Outcome]:
        return [o for o in self.outcomes if o.status == DONE]

    @property
    def bad(self) -> list[Outcome]:
        return [o for o in self.outcomes if o.status != DONE]

    @property
    def exit_code(self) -> int:
        return EXIT_INCOMPLETE if self.bad else EXIT_OK

    def print_bad(self, limit: int = 20) -> None:
        """List what failed, with the reason, on stderr."""
        print_some([f'  {o.key}: {o.error}' for o in self.bad], limit)

    def print_notes(self, limit: int = 20) -> None:
        """List the notes on what is done, on stderr."""
        notes = [(o.key, (o.result or {}).get('note')) for o in self.done]
        print_some([f'  {k}: note: {n}' for k, n in notes if n], limit)


def print_some(lines: list[str], limit: int = 20) -> None:
    """Print the first lines to stderr, and how many more there are."""
    if len(lines) > limit:
        lines = [*lines[:limit], f'  ... {len(lines) - limit} more']
    for line in lines:
        print(line, file=sys.stderr)


def read_outcomes(text: str) -> dict[str, Outcome]:
    """The outcomes of a journal's text; torn lines cost only their item."""
    entries = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            outcome = Outcome(**json.loads(line))
            if outcome.is_sound():
                entries[outcome.key] = outcome
    return entries


class Journal:
    """The journal of a run, open and locked.

    Args:
        path: The file, made if need be.
        base: Another journal whose entries count too, where this one has
            none of the same key; it is only read.

    Raises:
        ToolError: Another run holds the journal.
    """

    def __init__(
        self, path: str | os.PathLike, base: Path | None = None
    ) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # 'a+': every write goes to the end, whatever a crash left there
        how = dict(encoding='utf-8', errors='replace')
        self.file = open(self.path, 'a+', **how)  # noqa: SIM115
        self._lock()
        self.file.seek(0)
        text, self.entries = self.file.read(), {}
        if base is not None and base.is_file():
            self.entries = read_outcomes(base.read_text(**how))
        self.entries |= read_outcomes(text)
        if text and not text.endswith('\n'):
            self.file.write('\n')

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows: no lock, one run at a time
            return
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.file.close()
            raise ToolError(
                f'another run is working with {self.path}: wait until it '
                'has ended, or choose another output folder'
            ) from error

    def add(self, outcome: Outcome) -> None:
        self.entries[outcome.key] = outcome
        self.file.write(json.dumps(asdict(outcome)) + '\n')
        self.file.flush()

    def close(self) -> None:
        self.file.close()


# -------------------------------------------------------------------- shards
def in_shard(key: str, shard: tuple[int, int]) -> bool:
    """Whether an item belongs to part i of n, i from 1.

    A hash of the name decides, so an item stays in its part when others are
    added or removed.
    """
    number, parts = shard
    digest = hashlib.sha1(os.fsencode(key)).digest()
    return int.from_bytes(digest[:8], 'big') % parts == number - 1


def shard_path(path: str | os.PathLike, shard: tuple[int, int]) -> Path:
    """``a/NAME.2of8.jsonl`` for ``a/NAME.jsonl`` and (2, 8)."""
    path = Path(path)
    return path.with_name('{}.{}of{}{}'.format(path.stem, *shard, path.suffix))


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
    known: Mapping[str, Outcome],
    wanted: str,
    keys: Collection[str],
    overwrite: bool,
) -> None:
    """Check that a target holds no finished results of other parameters.

    Args:
        folder: The target, for the message.
        known: Entries of the journal. Without parameters (old journals) they
            pass.
        wanted: :func:`params_hash` of this run.
        keys: Names of the items of this run.
        overwrite: Let this run replace its own items; only warn of others.

    Raises:
        ToolError: There are such results, and ``overwrite`` is not set.
    """
    made = {k: o.params for k, o in known.items() if o.status == DONE}
    other = [k for k, mark in made.items() if mark and mark != wanted]
    if other and not overwrite:
        raise ToolError(
            f'{folder} holds {len(other)} result(s) made with other options '
            f'({other[0]!r} is one): choose another target, or give '
            '--overwrite to make them again'
        )
    stay = [k for k in other if k not in keys]
    if stay:
        warn(
            f'{len(stay)} result(s) of other options stay in {folder}, '
            f'because this run does not name their videos ({stay[0]!r} is '
            'one)'
        )
