"""Run one function over many files in worker processes, resumably.

A video decoder can crash the process (segmentation fault) or hang on a
broken file, so a plain pool is not enough: here every worker is a process of
its own that is watched. What dies or takes too long costs that one item; a
new worker takes over.

What was finished is appended to a journal (JSON lines). A later run skips an
item when its input (size and modification time) and the parameters are the
same and its output is still there. The journal is locked while a run lasts,
so that two runs cannot write the same outputs.

    report = run_jobs(function, jobs, workers=8, journal=path, params={...})
"""

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from lgd_mmaction.errors import LGDError
from lgd_tools.cli import EXIT_INCOMPLETE, EXIT_OK, ToolError
from lgd_tools.videos.part_files import params_hash, require_unmixed, stamp_of

DONE, FAILED, CRASHED, TIMEOUT = 'done', 'failed', 'crashed', 'timeout'


class JobError(LGDError):
    """The input of one item is bad; the message says what is wrong."""


@dataclass(frozen=True)
class Job:
    """One item.

    Args:
        key: Unique name, used in the journal and in messages.
        args: Arguments of the function; must be picklable.
        source: Input file whose size and time decide about a repetition.
    """

    key: str
    args: tuple
    source: str | os.PathLike | None = None


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
        _print_some([f'  {o.key}: {o.error}' for o in self.bad], limit)

    def print_notes(self, limit: int = 20) -> None:
        """List the notes on what is done, on stderr."""
        notes = [(o.key, (o.result or {}).get('note')) for o in self.done]
        _print_some([f'  {k}: note: {n}' for k, n in notes if n], limit)


def _print_some(lines: list[str], limit: int) -> None:
    if len(lines) > limit:
        lines = [*lines[:limit], f'  ... {len(lines) - limit} more']
    for line in lines:
        print(line, file=sys.stderr)


# ------------------------------------------------------------------- journal
class Journal:
    """Finished items, one JSON object a line; the last line of a key wins.

    Raises:
        ToolError: Another run holds the journal.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # 'a+': every write goes to the end, whatever a crash left there
        how = dict(encoding='utf-8', errors='replace')
        self.file = open(self.path, 'a+', **how)  # noqa: SIM115
        self._lock()
        self.entries = self._read()

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

    def _read(self) -> dict[str, Outcome]:
        self.file.seek(0)
        text, entries = self.file.read(), {}
        for line in text.splitlines():
            # a line torn by a power cut only costs that item
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                outcome = Outcome(**json.loads(line))
                if outcome.is_sound():
                    entries[outcome.key] = outcome
        if text and not text.endswith('\n'):
            self.file.write('\n')
        return entries

    def add(self, outcome: Outcome) -> None:
        self.entries[outcome.key] = outcome
        self.file.write(json.dumps(asdict(outcome)) + '\n')
        self.file.flush()

    def close(self) -> None:
        self.file.close()


# ------------------------------------------------------------------- workers
def _worker(pipe: Connection, pickled: bytes, log: str) -> None:
    """Body of a worker process: answer jobs until the pipe closes."""
    # Ctrl-C reaches the whole group; only the parent acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # decoders write to the C-level stderr; its end is kept for crashes
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    try:
        function = pickle.loads(pickled)
    except BaseException as error:
        pipe.send(('broken', None, f'{type(error).__name__}: {error}'))
        return
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionError):
        pipe.send(('ready', None, ''))
        while True:
            args = pipe.recv()
            os.ftruncate(handle, 0)
            try:
                answer = (DONE, function(*args), '')
            except JobError as error:
                answer = (FAILED, None, str(error))
            except Exception as error:
                text = ' '.join(str(error).split())[:300]
                answer = (FAILED, None, f'{type(error).__name__}: {text}')
            pipe.send(answer)


class _Slot:
    """One worker process and the job it holds."""

    def __init__(self, pickled: bytes, folder: str, number: int) -> None:
        self.pickled, self.log = pickled, os.path.join(folder, str(number))
        self.job: Job | None = None
        self.start()

    def start(self) -> None:
        # spawn: a fork would copy the locks of the decoders' threads
        context = multiprocessing.get_context('spawn')
        self.pipe, child = context.Pipe()
        self.process = context.Process(
            target=_worker, args=(child, self.pickled, self.log), daemon=True
        )
        self.process.start()
        child.close()
        self.ready, self.served, self.since = False, 0, time.monotonic()

    def give(self, job: Job) -> bool:
        """Start a job; False where the process is gone."""
        try:
            self.pipe.send(job.args)
        except OSError:
            return False
        self.job, self.since = job, time.monotonic()
        self.served += 1
        return True

    def stop(self) -> None:
        self.pipe.close()
        if self.process.is_alive():
            self.process.kill()
        self.process.join()

    def renew(self) -> None:
        self.stop()
        self.start()

    def death(self) -> str:
        """How the process ended, with the last thing it wrote."""
        self.process.join(5)
        code = self.process.exitcode
        how = f'exit code {code}'
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-code).name
        tail = b''
        with contextlib.suppress(OSError):
            tail = Path(self.log).read_bytes()[-4000:]
        lines = tail.decode(errors='replace').splitlines()
        lines = [line.strip() for line in lines if line.strip()]
        last = f' after printing {lines[-1][:200]!r}' if lines else ''
        return f'the process crashed ({how}){last}'


def _serve(
    pickled: bytes,
    todo: Sequence[Job],
    workers: int,
    time_limit: float | None,
    jobs_per_worker: int,
) -> Iterator[Outcome]:
    """Yield the outcome of every job, as they end."""
    queue, crashed_once = list(reversed(todo)), set()
    with tempfile.TemporaryDirectory(prefix='parallel_') as folder:
        slots = [
            _Slot(pickled, folder, i) for i in range(min(workers, len(todo)))
        ]
        try:
            while queue or any(slot.job for slot in slots):
                for slot in slots:
                    if slot.ready and slot.job is None and queue:
                        # decord leaks memory: renew the process now and then
                        if slot.served >= jobs_per_worker:
                            slot.renew()
                        elif slot.give(queue[-1]):
                            queue.pop()
                        else:  # it died while it had nothing to do
                            slot.renew()
                for job, outcome in _collect(slots, time_limit):
                    # a late crash may be the fault of the item before, so
                    # every item has a second chance in a fresh process
                    again = job.key not in crashed_once
                    if outcome.status == CRASHED and again:
                        crashed_once.add(job.key)
                        queue.append(job)
                    else:
                        yield outcome
        finally:
            for slot in slots:
                slot.stop()


def _collect(
    slots: list[_Slot], time_limit: float | None
) -> list[tuple[Job, Outcome]]:
    """Wait for news (at most a second) and turn them into outcomes."""
    outcomes = []
    heard = wait([slot.pipe for slot in slots], timeout=1.0)
    for slot in slots:
        spent, answer = time.monotonic() - slot.since, None
        if slot.pipe in heard:
            try:
                answer = slot.pipe.recv()
            except (EOFError, ConnectionError):
                answer = (CRASHED, None, slot.death())
        elif slot.job and time_limit and spent > time_limit:
            answer = (TIMEOUT, None, f'took longer than {time_limit:g} s')
        if answer is None:
            continue
        status, result, error = answer
        if status == 'ready':
            slot.ready = True
        elif not slot.ready:  # our own defect, not that of an input
            raise RuntimeError(f'a worker process did not start: {error}')
        elif slot.job is not None:
            job, seconds = slot.job, round(spent, 3)
            outcome = Outcome(job.key, status, result, error, seconds)
            outcomes.append((job, outcome))
            slot.job = None
        if status in (CRASHED, TIMEOUT):
            slot.renew()
    return outcomes


# ----------------------------------------------------------------------- run
def run_jobs(
    function: Callable[..., dict[str, Any]],
    jobs: Sequence[Job],
    *,
    workers: int,
    journal: str | os.PathLike | None = None,
    params: dict[str, Any] | None = None,
    time_limit: float | None = None,
    desc: str = '',
    redo_failed: bool = True,
    still_done: Callable[[Job, Outcome], bool] | None = None,
    before: Callable[[], None] | None = None,
    jobs_per_worker: int = 500,
    overwrite: bool | None = None,
    drop: Callable[[str], None] | None = None,
) -> Report:
    """Run ``function(*job.args)`` for all jobs that are not finished yet.

    Args:
        function: Importable by name; returns a JSON-able dict, or raises
            :class:`JobError` for a bad input (one sentence).
        jobs: The items; their keys must differ.
        workers: Number of processes.
        journal: Where finished items are remembered; None: nowhere.
        params: Everything else that the result depends on.
        time_limit: Seconds for one item, or None.
        desc: Label of the progress bar.
        redo_failed: Try items again that the journal lists as bad. If not,
            only crashed ones and those over the time limit are tried again.
        still_done: Whether the output of a finished item is still there.
        before: Called once the journal is locked, before the first job.
        jobs_per_worker: A process is renewed after this many items.
        overwrite: Where the journal lists items done with other ``params``:
            False refuses to run, True and None do them again.
        drop: Removes the output of the key that could not be done again.

    Raises:
        ToolError: Two jobs have one key, another run holds the journal, or
            ``overwrite`` is False and there are items of other ``params``.
        KeyboardInterrupt: After all workers were stopped; what was finished
            is in the journal.
    """
    from tqdm import tqdm

    if len({job.key for job in jobs}) != len(jobs):
        raise ToolError('two items have the same name: rename one of them')
    # one thread a process: the processes are the parallelism
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    book = Journal(journal) if journal is not None else None
    known = book.entries if book else {}
    stamps = {job.key: stamp_of(job.source, params) for job in jobs}
    mark = params_hash(params)
    outcomes: dict[str, Outcome] = {}
    keep = {DONE} if redo_failed else {DONE, FAILED}
    try:
        if overwrite is not None and book:
            made = {k: o.params for k, o in known.items() if o.status == DONE}
            require_unmixed(book.path.parent, made, mark, stamps, overwrite)
        if before:
            before()
        for job in jobs:
            old = known.get(job.key)
            if old and old.stamp == stamps[job.key] and old.status in keep:
                ok = old.status != DONE or not still_done
                if ok or still_done(job, old):
                    outcomes[job.key] = old
        skipped = len(outcomes)
        todo = [job for job in jobs if job.key not in outcomes]
        bad = sum(o.status != DONE for o in outcomes.values())
        bar = tqdm(total=len(jobs), initial=skipped, desc=desc, disable=None)
        work = pickle.dumps(function)
        served = _serve(work, todo, workers, time_limit, jobs_per_worker)
        with bar, contextlib.closing(served):
            for outcome in served:
                outcome.stamp, outcome.params = stamps[outcome.key], mark
                old = known.get(outcome.key)
                if drop and old and old.status == DONE != outcome.status:
                    drop(old.key)  # it would pass for the result of this run
                outcomes[outcome.key] = outcome
                if book:
                    book.add(outcome)
                bad += outcome.status != DONE
                bar.set_postfix(bad=bad, refresh=False)
                bar.update()
    finally:
        if book:
            book.close()
    return Report([outcomes[job.key] for job in jobs], skipped)
