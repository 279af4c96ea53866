"""Parallel map over forked processes."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Any

_MOST = 8
# what the children find in the memory that they inherit
_task: tuple[Callable, Sequence] | None = None


def usable_cores() -> int:
    """Processes worth starting here: cores, 8 at most, 1 where none may."""
    if 'fork' not in multiprocessing.get_all_start_methods():
        return 1
    if multiprocessing.current_process().daemon:  # may have no children
        return 1
    return min(_MOST, len(os.sched_getaffinity(0)))


def map_forked(
    function: Callable[[Any], Any], items: Sequence, processes: int
) -> list:
    """``[function(item) for item in items]``, shared among processes.

    The children are forks: they read what `function` (a closure, say)
    refers to in the parent's memory, and only results are sent. They must
    leave GPUs and thread pools alone, which NumPy arithmetic does. An
    exception in a child is raised here, and so is the death of one
    (BrokenProcessPool). With one process nothing is forked.
    """
    global _task
    processes = min(processes, len(items))
    if processes < 2 or _task is not None:
        return [function(item) for item in items]
    _task = function, items
    try:
        with ProcessPoolExecutor(
            processes, multiprocessing.get_context('fork'), live_with_parent
        ) as pool:
            return list(pool.map(_run, range(len(items))))
    finally:
        _task = None


def live_with_parent() -> None:
    """In a child: leave the signals of a job to the parent, end with it.

    A pre-empted job gets them in all its processes; the parent decides.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    with suppress(AttributeError, OSError):  # Linux only
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _run(index: int) -> Any:
    function, items = _task
    return function(items[index])
