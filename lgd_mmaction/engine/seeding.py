"""Seeds made from numbers, for a process, a data worker and each sample."""

import functools
import multiprocessing
import multiprocessing.util
import os
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, get_worker_info

# seconds that a data worker outlives a SIGTERM that all processes of a job
# got; it ends before that with the process that it works for
_WORKER_GRACE = 60
# first of the numbers of a seed, so that no two purposes share one
SAMPLE, ITERATION = 101, 102


def seed_everything(*entropy: int) -> None:
    """Seed random, numpy and torch (all devices) from these numbers."""
    torch.manual_seed(_seed_hosts(entropy))


def _seed_hosts(entropy: tuple[int, ...]) -> int:
    """Seed random and numpy; return the seed."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    return seed


def _seeded_class(cls: type) -> type:
    """A subclass of a data set's class that seeds before each sample."""

    def getitem(self: Any, index: int) -> Any:
        seed = _seed_hosts((SAMPLE, *self._lgd_entropy, int(index)))
        # transforms run on the CPU; to seed a GPU from a worker is slow
        torch.default_generator.manual_seed(seed)
        return cls.__getitem__(self, index)

    def getitems(self: Any, indices: list[int]) -> list:
        return [self[index] for index in indices]

    methods = {'__getitem__': getitem, '_lgd_seeded': True}
    if hasattr(cls, '__getitems__'):  # torch prefers it
        methods['__getitems__'] = getitems
    return type(cls.__name__, (cls,), methods)


def seed_samples(dataset: Dataset, entropy: tuple[int, ...]) -> None:
    """Seed all generators anew before each sample that a data set makes.

    Crops and flips of a sample then depend on these numbers and on its index
    only: not on the number of workers or processes, nor on what was read
    before. The object gets a subclass of its class, so that it stays what it
    is for everybody else.

    Args:
        dataset: A data set with indices, as the data loader holds it.
        entropy: What the seeds are made from, besides the index.
    """
    if not getattr(type(dataset), '_lgd_seeded', False):
        dataset.__class__ = _seeded_class(type(dataset))
    dataset._lgd_entropy = entropy


class WorkerSeeder:
    """A ``worker_init_fn`` that seeds after the one that it replaces.

    Args:
        start: The function that it replaces, or None.
        entropy: What the seed is made from, besides the worker's number.
        samples: What each sample's seed is made from; None: samples are
            not seeded.
    """

    def __init__(
        self,
        start: Callable[[int], None] | None,
        entropy: tuple[int, ...],
        samples: tuple[int, ...] | None = None,
    ) -> None:
        self.start = start
        self.entropy = entropy
        self.samples = samples

    def __call__(self, worker_id: int) -> None:
        if self.start is not None:
            self.start(worker_id)
        seed_everything(*self.entropy, 1 + worker_id)
        info = get_worker_info()
        if info is not None:
            outlive_signals()
            if self.samples is not None:
                seed_samples(info.dataset, self.samples)


class Outliving:
    """A ``worker_init_fn`` that adds :func:`outlive_signals` to another.

    Args:
        start: The function that it replaces, or None.
    """

    def __init__(self, start: Callable[[int], None] | None) -> None:
        self.start = start

    def __call__(self, worker_id: int) -> None:
        if self.start is not None:
            self.start(worker_id)
        outlive_signals()


def end_workers_at_exit() -> None:
    """End the data workers with the process, now that they outlive SIGTERM.

    multiprocessing would send them SIGTERM at its exit and wait. It calls
    this before: at the end of a program and of a process that it started.
    """
    _register_end_of_workers(os.getpid())


@functools.cache  # once in a process; a fork has none
def _register_end_of_workers(pid: int) -> None:
    multiprocessing.util.Finalize(None, _end_workers, exitpriority=100)


def _end_workers() -> None:
    # torch's handler would call a worker that ends an error
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()


def outlive_signals() -> None:
    """Let a data worker work on while its job is being pre-empted.

    A cluster sends SIGTERM to every process of a job. A worker that died of
    it would take the training down before it has finished its step. The
    process that it works for ends it with SIGTERM as ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # a thread waits for it, because a handler is not told who sent it
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_await_sigterm, daemon=True).start()


def _await_sigterm() -> None:
    told = False
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        if not told:
            signal.alarm(_WORKER_GRACE)
        told = True
    os._exit(0)
