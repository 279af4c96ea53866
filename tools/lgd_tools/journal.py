"""What a run has finished: one JSON object a line; the last one of a key wins.

A later run skips an item when its input (size and modification time) and the
parameters are the same and its output is still there. The journal is locked
while a run lasts, so that two runs cannot write the same outputs. The parts
of a run that was shared out (``--shard 2/8``) keep journals of their own
beside it, ``NAME.2of8.jsonl`` for ``NAME.jsonl``; the next run of the whole
takes them over.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lgd_tools.cli import EXIT_INCOMPLETE, EXIT_OK, ToolError

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
        """Say on stderr what there is to note, and what failed; some of it."""
        notes = [(o.key, (o.result or {}).get('note')) for o in self.done]
        noted = [f'  {key}: note: {note}' for key, note in notes if note]
        for lines in (noted, [f'  {o.key}: {o.error}' for o in self.bad]):
            if len(lines) > limit:
                lines[limit:] = [f'  ... {len(lines) - limit} more']
            for line in lines:
                print(line, file=sys.stderr)


class Journal(contextlib.AbstractContextManager):
    """The journal of a run, or of a part of it, open and locked.

    A part reads the journal of the whole too: those entries count where its
    own has none of the same key.
    """

    def __init__(
        self, path: Path, shard: tuple[int, int] | None = None
    ) -> None:
        base, path = path, shard_path(path, shard) if shard else path
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        # 'a+': every write goes to the end, whatever a crash left there
        how = dict(encoding='utf-8', errors='replace')
        self.file = open(path, 'a+', **how)  # noqa: SIM115
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.file.close()
            raise ToolError(
                f'another run is working with {path}: wait until it has '
                'ended, or choose another output folder'
            ) from error
        self.file.seek(0)
        text = self.file.read()
        if text and not text.endswith('\n'):
            self.file.write('\n')
        before = base.read_text(**how) if shard and base.is_file() else ''
        self.entries: dict[str, Outcome] = {}
        for line in f'{before}\n{text}'.splitlines():
            # torn lines cost only their item
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                outcome = Outcome(**json.loads(line))
                self.entries[outcome.key] = outcome

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add(self, outcome: Outcome) -> None:
        self.entries[outcome.key] = outcome
        self.file.write(json.dumps(asdict(outcome)) + '\n')
        self.file.flush()

    def take_over_shards(self) -> None:
        """Add the entries of the parts of this run; remove their journals."""
        pattern = f'{self.path.stem}.[0-9]*of[0-9]*{self.path.suffix}'
        for path in sorted(self.path.parent.glob(pattern)):
            with Journal(path) as part:
                for outcome in part.entries.values():
                    self.add(outcome)
                path.unlink()

    def require_only(self, params: str) -> None:
        """Raise ToolError where there are results of other parameters."""
        made = [o for o in self.entries.values() if o.status == DONE]
        other = [o.key for o in made if o.params != params]
        if other:
            raise ToolError(
                f'{self.path.parent} holds {len(other)} result(s) made with '
                f'other options ({other[0]!r} is one): choose another '
                'target, or give --overwrite to make them again'
            )


# -------------------------------------------------------------------- shards
def in_shard(key: str, shard: tuple[int, int]) -> bool:
    """Whether an item belongs to part i of n, i from 1.

    A hash of the name decides, so an item stays in its part when others are
    added or removed.
    """
    number, parts = shard
    digest = hashlib.sha1(os.fsencode(key)).digest()
    return int.from_bytes(digest[:8], 'big') % parts == number - 1


def shard_path(path: Path, shard: tuple[int, int]) -> Path:
    """``a/NAME.2of8.jsonl`` for ``a/NAME.jsonl`` and (2, 8)."""
    return path.with_name('{}.{}of{}{}'.format(path.stem, *shard, path.suffix))


# -------------------------------------------------------------- fingerprints
def params_hash(params: Any) -> str:
    """Fingerprint of the parameters of a run."""
    text = json.dumps(params, sort_keys=True, default=str)
    return hashlib.sha1(text.encode()).hexdigest()[:16]


def stamp_of(source: Path | None) -> str:
    """Size and modification time of an input file; '' where it is missing."""
    if source is None or not source.exists():
        return ''
    stat = source.stat()
    return f'{stat.st_size} {stat.st_mtime_ns}'
