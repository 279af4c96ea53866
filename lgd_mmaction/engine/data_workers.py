"""Data workers: signals left to the parent, a call when one is lost."""

import ctypes
import multiprocessing
import multiprocessing.util
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data._utils import signal_handling

from lgd_mmaction.engine.seeding import seed_samples


def start_worker(
    start: Callable[[int], None] | None,
    entropy: tuple[int, ...] | None,
    worker_id: int,
) -> None:
    """A ``worker_init_fn``: signals left to the parent, samples seeded.

    A cluster sends SIGTERM to every process of a job; a worker that died of
    it would take the training down before it has finished its step.

    Args:
        start: The function that it replaces, or None.
        entropy: For :func:`seed_samples`; None: no sample is seeded.
        worker_id: What torch gives.
    """
    if start is not None:
        start(worker_id)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    with suppress(AttributeError, OSError):  # Linux only
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if entropy is not None:
        seed_samples(get_worker_info().dataset, entropy)


def end_workers_at_exit() -> None:
    """End the data workers with the process, now that they ignore SIGTERM.

    multiprocessing would send them SIGTERM at its exit and wait. It calls
    this before: at the end of a program and of a process that it started.
    """
    multiprocessing.util.Finalize(None, _end_workers, exitpriority=100)


def _end_workers() -> None:
    # torch's handler would call a worker that ends an error
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()


class GuardedLoader(DataLoader):
    """Calls ``when_lost`` before it raises for a worker, between two steps."""

    when_lost: Callable[[], None]

    def __iter__(self) -> Iterator[Any]:
        # torch's handler would raise at any moment, within a step too; an
        # earlier loader may have installed it
        stock = signal.getsignal(signal.SIGCHLD)
        if getattr(stock, '__module__', None) == signal_handling.__name__:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        install = signal_handling._set_SIGCHLD_handler
        signal_handling._set_SIGCHLD_handler = lambda: None
        try:
            batches = super().__iter__()
        finally:
            signal_handling._set_SIGCHLD_handler = install
        try:
            yield from batches
        # what a worker had not handed over is gone with it
        except (RuntimeError, OSError, EOFError) as error:
            if ' in DataLoader worker process ' not in str(error):
                self.when_lost()
            raise


def guard_loader(loader: DataLoader, when_lost: Callable[[], None]) -> None:
    """Make a loader with data workers a :class:`GuardedLoader`, in place."""
    if loader.num_workers:
        loader.__class__ = GuardedLoader
        loader.when_lost = when_lost
