"""Run one function over many files in worker processes, resumably.

A video decoder can crash the process (segmentation fault) or hang on a
broken file. pebble's pool watches its processes: what dies or takes too long
costs that one item, and a new process takes over. What was finished is in
the journal (journal.py), and a later run skips it.

    report = run_jobs(function, jobs, workers=8, journal=path, params={...})
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lgd_mmaction.errors import LGDError
from lgd_tools.cli import ToolError
from lgd_tools.journal import (
    CRASHED,
    DONE,
    FAILED,
    TIMEOUT,
    Journal,
    Outcome,
    Report,
    in_shard,
    params_hash,
    require_unmixed,
    shard_path,
    stamp_of,
)


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


# ------------------------------------------------------------------- workers
_function: Callable[..., dict[str, Any]]


def _begin(pickled: bytes, logs: str) -> None:
    """In each new process: get ready, and keep what decoders print."""
    global _function
    # the pool stops a process that hangs in C code with it: end at once
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = os.path.join(logs, str(os.getpid()))
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    _function = pickle.loads(pickled)


def _call(args: tuple) -> tuple:
    """(status, result, error, seconds) of one item."""
    os.ftruncate(2, 0)
    start = time.monotonic()
    try:
        answer = (DONE, _function(*args), '')
    except JobError as error:
        answer = (FAILED, None, str(error))
    except Exception as error:
        text = ' '.join(str(error).split())[:300]
        answer = (FAILED, None, f'{type(error).__name__}: {text}')
    return *answer, round(time.monotonic() - start, 3)


def _last_line(logs: str, pid: int | None = None) -> str:
    """The last thing that one process, or any, printed."""
    names = [str(pid)] if pid else sorted(os.listdir(logs))
    lines = []
    for name in names:
        with contextlib.suppress(OSError):
            tail = Path(logs, name).read_bytes()[-4000:]
            lines += tail.decode(errors='replace').splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    return lines[-1][:200] if lines else ''


def _result(future: Any, time_limit: float | None, logs: str) -> tuple:
    """(status, result, error, seconds) of a finished future."""
    from pebble import ProcessExpired

    try:
        return future.result()
    except TimeoutError:
        error = f'took longer than {time_limit:g} s'
        return TIMEOUT, None, error, time_limit
    except ProcessExpired as death:
        how = f'exit code {death.exitcode}'
        if death.exitcode < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-death.exitcode).name
        last = _last_line(logs, death.pid)
        last = f' after printing {last!r}' if last else ''
        return CRASHED, None, f'the process crashed ({how}){last}', 0.0


def _serve(
    pickled: bytes,
    todo: Sequence[Job],
    workers: int,
    time_limit: float | None,
    jobs_per_worker: int,
) -> Iterator[Outcome]:
    """Yield the outcome of every job, as they end."""
    from pebble import ProcessPool

    queue, crashed_once = list(reversed(todo)), set()
    while queue:
        before, pending = len(queue), {}
        with tempfile.TemporaryDirectory(prefix='jobs_') as logs:
            pool = ProcessPool(
                min(workers, len(queue)),
                jobs_per_worker,  # decoders leak memory: renewed after these
                _begin,
                (pickled, logs),
                # a fork would copy the locks of the decoders' threads
                multiprocessing.get_context('spawn'),
            )
            try:
                while queue or pending:
                    # few at a time: half a million would fill the memory
                    while queue and len(pending) < 2 * workers:
                        job = queue[-1]
                        future = pool.schedule(
                            _call, (job.args,), timeout=time_limit
                        )
                        pending[future] = queue.pop()
                    ended, _ = wait(pending, return_when=FIRST_COMPLETED)
                    for future in ended:
                        answer = _result(future, time_limit, logs)
                        job = pending.pop(future)
                        # a late crash may be the fault of the item before,
                        # so every item has a second chance
                        if (
                            answer[0] == CRASHED
                            and job.key not in crashed_once
                        ):
                            crashed_once.add(job.key)
                            queue.append(job)
                        else:
                            yield Outcome(job.key, *answer)
            # scheduling says RuntimeError
            except (BrokenProcessPool, RuntimeError) as error:
                # a process died that had nothing to do: begin again
                queue += pending.values()
                if len(queue) == before:  # our own defect, not an input's
                    raise RuntimeError(
                        f'a worker process did not start: {_last_line(logs)}'
                    ) from error
            finally:
                pool.stop()
                pool.join()


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
    before: Callable[[Sequence[Job]], None] | None = None,
    jobs_per_worker: int = 500,
    overwrite: bool | None = None,
    drop: Callable[[str], None] | None = None,
    shard: tuple[int, int] | None = None,
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
        before: Called with this part's jobs once the journal is locked.
        jobs_per_worker: A process is renewed after this many items.
        overwrite: Where the journal lists items done with other ``params``:
            False refuses to run, True and None do them again.
        drop: Removes the output of the key that could not be done again.
        shard: (2, 8): do only the second of eight parts, decided by the
            keys, and keep its own journal beside ``journal``.

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
    base = None
    if shard:
        jobs = [job for job in jobs if in_shard(job.key, shard)]
        base, journal = Path(journal), shard_path(journal, shard)
    book = Journal(journal, base) if journal is not None else None
    known = book.entries if book else {}
    stamps = {job.key: stamp_of(job.source, params) for job in jobs}
    mark = params_hash(params)
    outcomes: dict[str, Outcome] = {}
    keep = {DONE} if redo_failed else {DONE, FAILED}
    try:
        if overwrite is not None and book:
            require_unmixed(book.path.parent, known, mark, stamps, overwrite)
        if before:
            before(jobs)
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
