"""Seeds made from numbers, for a process and each sample; data workers."""

import ctypes
import functools
import multiprocessing
import multiprocessing.util
import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, get_worker_info

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
        entropy: What each sample's seed is made from; None: no sample is
            seeded.
        worker_id: Its number.
    """
    if start is not None:
        start(worker_id)
    live_with_parent()
    if entropy is not None:
        seed_samples(get_worker_info().dataset, entropy)


def live_with_parent() -> None:
    """In a child: leave the signals of a job to the parent, end with it.

    A pre-empted job gets them in all its processes; the parent decides.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    with suppress(AttributeError, OSError):  # Linux only
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def end_workers_at_exit() -> None:
    """End the data workers with the process, now that they ignore SIGTERM.

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
