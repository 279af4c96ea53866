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
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, TimeoutError, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lgd_mmaction.errors import LGDError
from lgd_mmaction.files import remove, remove_parts
from lgd_tools.cli import ToolError, progress
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
    stamp_of,
)

Function = Callable[..., dict[str, Any]]
# decoders leak memory: a process is renewed after this many items
RENEWED_AFTER = 500


class JobError(LGDError):
    """The input of one item is bad; the message says what is wrong."""


@dataclass(frozen=True)
class Job:
    """One item, of a unique name; its arguments must be picklable.

    Size and time of the file ``source`` decide about a repetition; the
    result is the file or folder ``target``, where there is one.
    """

    key: str
    args: tuple
    source: Path | None = None
    target: Path | None = None


# ------------------------------------------------------------------- workers
_function: Function


def _begin(function: Function) -> None:
    """In each new process."""
    global _function
    # the pool stops a process that hangs in C code with it: end at once
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _function = function


def _call(args: tuple) -> tuple:
    """(status, result, error, seconds) of one item."""
    start = time.monotonic()
    try:
        answer = DONE, _function(*args), ''
    except JobError as error:
        answer = FAILED, None, str(error)
    except Exception as error:
        text = ' '.join(str(error).split())[:300]
        answer = FAILED, None, f'{type(error).__name__}: {text}'
    return *answer, round(time.monotonic() - start, 3)


def _answer(future: Future, time_limit: float | None) -> tuple:
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
        return CRASHED, None, f'the process crashed ({how})', 0.0


def _serve(
    function: Callable, todo: Sequence[Job], workers: int, limit: float | None
) -> Iterator[Outcome]:
    """Yield the outcome of every job, as they end."""
    from pebble import ProcessPool

    if len({job.key for job in todo}) != len(todo):
        raise ToolError('two items have the same name: rename one of them')
    queue, crashed_once = list(reversed(todo)), set()
    while queue:
        before, pending = len(queue), {}
        size = min(workers, len(queue))
        # a fork would copy the locks of the decoders' threads
        spawn = multiprocessing.get_context('spawn')
        pool = ProcessPool(size, RENEWED_AFTER, _begin, (function,), spawn)
        try:
            while queue or pending:
                # few at a time: half a million would fill the memory
                while queue and len(pending) < 2 * workers:
                    args = (queue[-1].args,)
                    future = pool.schedule(_call, args, timeout=limit)
                    pending[future] = queue.pop()
                for future in wait(pending, None, FIRST_COMPLETED).done:
                    answer = _answer(future, limit)
                    job = pending.pop(future)
                    if answer[0] == CRASHED and job.key not in crashed_once:
                        # perhaps the fault of the item before: once more
                        crashed_once.add(job.key)
                        queue.append(job)
                    else:
                        yield Outcome(job.key, *answer)
        except (BrokenProcessPool, RuntimeError):  # the latter: scheduling
            # a process died that had nothing to do: begin again, unless
            # that is all they do
            queue += pending.values()
            if len(queue) == before:
                raise
        finally:
            pool.stop()
            pool.join()


# ----------------------------------------------------------------------- run
def run_jobs(
    function: Function,
    jobs: Sequence[Job],
    *,
    workers: int,
    journal: Path,
    params: Any = None,
    time_limit: float | None = None,
    desc: str = '',
    still_done: Callable[[Job, Outcome], bool] = lambda job, outcome: True,
    overwrite: bool = True,
    shard: tuple[int, int] | None = None,
) -> Report:
    """Run ``function(*job.args)`` for all jobs that are not finished yet.

    The journal remembers what is finished. ``time_limit`` is of one item, in
    seconds.

    Args:
        function: Importable by name; returns a JSON-able dict, or raises
            :class:`JobError` for a bad input (one sentence).
        params: Everything else that the result depends on.
        still_done: Whether the result of a finished item is still there.
        overwrite: Do items again that the journal lists as done with other
            ``params``; False refuses to run where there are any.
        shard: (2, 8): do only the second of eight parts, decided by the
            keys, and keep its own journal beside ``journal``; a later run
            without it takes the journals of the parts over.
    """
    # one thread a process: the processes are the parallelism
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    if shard:
        jobs = [job for job in jobs if in_shard(job.key, shard)]
    stamps = {job.key: stamp_of(job.source) for job in jobs}
    targets = {job.key: job.target for job in jobs if job.target}
    mark = params_hash(params)
    with Journal(journal, shard) as book:
        if not shard:
            book.take_over_shards()
        if not overwrite:
            book.require_only(mark)
        remove_parts(targets.values())  # of a run that was killed
        known, outcomes = dict(book.entries), {}
        for job in jobs:
            old = known.get(job.key, Outcome('', ''))
            same = DONE, stamps[job.key], mark
            made = old.status, old.stamp, old.params
            if made == same and still_done(job, old):
                outcomes[job.key] = old
        skipped = len(outcomes)
        todo = [job for job in jobs if job.key not in outcomes]
        served = _serve(function, todo, workers, time_limit)
        with contextlib.closing(served):
            for outcome in progress(served, desc, len(jobs), skipped):
                key = outcome.key
                outcome.stamp, outcome.params = stamps[key], mark
                if outcome.status != DONE and key in known and key in targets:
                    remove(targets[key])  # it would pass for one of this run
                outcomes[key] = outcome
                book.add(outcome)
    return Report([outcomes[job.key] for job in jobs], skipped)


def run_once(
    function: Callable, jobs: Sequence[Job], workers: int, desc: str
) -> Report:
    """``function(*job.args)`` for all jobs, without a journal or a limit."""
    with contextlib.closing(_serve(function, jobs, workers, None)) as served:
        ended = progress(served, desc, len(jobs))
        outcomes = {outcome.key: outcome for outcome in ended}
    return Report([outcomes[job.key] for job in jobs])
