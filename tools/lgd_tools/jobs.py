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
from concurrent.futures import FIRST_COMPLETED, Future, wait
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
    shard_path,
    stamp_of,
)

Function = Callable[..., dict[str, Any]]
# decoders leak memory: a process is renewed after this many items
RENEWED_AFTER = 500


class JobError(LGDError):
    """The input of one item is bad; the message says what is wrong."""


@dataclass(frozen=True)
class Job:
    """One item.

    Args:
        key: Unique name, used in the journal and in messages.
        args: Arguments of the function; must be picklable.
        source: Input file whose size and time decide about a repetition.
        target: The result, a file or a folder, where there is one.
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
        answer = (DONE, _function(*args), '')
    except JobError as error:
        answer = (FAILED, None, str(error))
    except Exception as error:
        text = ' '.join(str(error).split())[:300]
        answer = (FAILED, None, f'{type(error).__name__}: {text}')
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
    function: Function,
    todo: Sequence[Job],
    workers: int,
    time_limit: float | None,
) -> Iterator[Outcome]:
    """Yield the outcome of every job, as they end."""
    from pebble import ProcessPool

    queue, crashed_once = list(reversed(todo)), set()
    while queue:
        before, pending = len(queue), {}
        pool = ProcessPool(
            min(workers, len(queue)),
            RENEWED_AFTER,
            _begin,
            (function,),
            # a fork would copy the locks of the decoders' threads
            multiprocessing.get_context('spawn'),
        )
        try:
            while queue or pending:
                # few at a time: half a million would fill the memory
                while queue and len(pending) < 2 * workers:
                    args = (queue[-1].args,)
                    future = pool.schedule(_call, args, timeout=time_limit)
                    pending[future] = queue.pop()
                for future in wait(pending, None, FIRST_COMPLETED).done:
                    answer = _answer(future, time_limit)
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

    Args:
        function: Importable by name; returns a JSON-able dict, or raises
            :class:`JobError` for a bad input (one sentence).
        jobs: The items; their keys must differ.
        workers: Number of processes.
        journal: Where finished items are remembered.
        params: Everything else that the result depends on.
        time_limit: Seconds for one item, or None.
        desc: Label of the progress bar.
        still_done: Whether the result of a finished item is still there.
        overwrite: Do items again that the journal lists as done with other
            ``params``; False refuses to run where there are any.
        shard: (2, 8): do only the second of eight parts, decided by the
            keys, and keep its own journal beside ``journal``; a later run
            without it takes the journals of the parts over.

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
        base, journal = journal, shard_path(journal, shard)
    stamps = {job.key: stamp_of(job.source) for job in jobs}
    mark = params_hash(params)
    with Journal(journal, base) as book:
        if not shard:
            book.take_over_shards()
        known = dict(book.entries)
        if not overwrite:
            book.require_only(mark)
        targets = {job.key: job.target for job in jobs if job.target}
        remove_parts(targets.values())  # of a run that was killed
        outcomes = {}
        for job in jobs:
            same = DONE, stamps[job.key], mark
            old = known.get(job.key)
            if old and old.made_from == same and still_done(job, old):
                outcomes[job.key] = old
        skipped = len(outcomes)
        todo = [job for job in jobs if job.key not in outcomes]
        bar = tqdm(total=len(jobs), initial=skipped, desc=desc, disable=None)
        served = _serve(function, todo, workers, time_limit)
        with bar, contextlib.closing(served):
            for outcome in served:
                key = outcome.key
                outcome.stamp, outcome.params = stamps[key], mark
                if outcome.status != DONE and key in known and key in targets:
                    remove(targets[key])  # it would pass for one of this run
                outcomes[key] = outcome
                book.add(outcome)
                bar.update()
    return Report([outcomes[job.key] for job in jobs], skipped)


def run_once(
    function: Callable, jobs: Sequence[Job], workers: int, desc: str
) -> Report:
    """``function(*job.args)`` for all jobs, without a journal.

    Args:
        function: Importable by name; returns what can be pickled.
        jobs: The items; their keys must differ.
        workers: Number of processes.
        desc: Label of the progress bar.
    """
    if len({job.key for job in jobs}) != len(jobs):
        raise ToolError('two items have the same name: rename one of them')
    served = _serve(function, jobs, workers, None)
    with contextlib.closing(served):
        ended = progress(served, desc, len(jobs))
        outcomes = {outcome.key: outcome for outcome in ended}
    return Report([outcomes[job.key] for job in jobs])
