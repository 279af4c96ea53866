"""Random numbers that depend on what is trained only: resuming is exact."""

import ctypes
import multiprocessing
import multiprocessing.util
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import Dataset, get_worker_info

from lgd_mmaction.engine.preemption_hook import SIGNALS

# first of the numbers of a seed, so that no two purposes share one
SAMPLE, ITERATION = 101, 102


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds everything random anew before every step and every sample.

    mmengine saves no state of random generators: a resumed run draws other
    dropout masks and other crops than the uninterrupted one. With this hook
    it ends with the same weights, bit for bit where the kernels are
    deterministic:

    - every sample is made with seeds from (seed of the run, epoch, index of
      the sample), whatever the number of workers and processes;
    - every epoch begins with seeds from (seed of the run, epoch, rank), every
      step with seeds from (seed of the run, iteration, rank);
    - a run that is resumed from a checkpoint written within an epoch goes on
      with the next batch; the ones before are skipped, not read.

    Persistent workers are started afresh in every epoch, which also returns
    the memory that decoders leak.

    With ``IterBasedTrainLoop`` samples are not seeded one by one, and a
    resumed run reads the batches before once more, with other crops.

    The seed is that of the run, which the checkpoint keeps; it need not stand
    in the config. With ``randomness=dict(diff_rank_seed=True)`` the order of
    the data is left to mmengine, and only exact on resuming if the config
    names a seed.
    """

    _done = 0  # batches of the coming epoch that were trained before
    _start = None  # the loader's own worker_init_fn

    def before_train(self, runner: Runner) -> None:
        self._done = batches_done(runner)
        length = len(runner.train_dataloader)
        runner.message_hub.update_info('epoch_length', length)
        if self._done:
            runner.logger.info(
                f'EpochSeedHook: epoch {runner.epoch + 1} goes on after '
                f'{self._done} of {length} batches.'
            )
        self._start = runner.train_dataloader.worker_init_fn
        # a signal to all processes of a job finds the other workers idle
        loader = getattr(runner._val_loop, 'dataloader', None)
        if loader is not None:
            start = loader.worker_init_fn
            loader.worker_init_fn = partial(start_worker, start, None)
        end_workers_at_exit()

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process, the sampler and the coming data workers."""
        seed_everything(runner.seed, runner.epoch, get_rank())
        loop, loader = runner.train_loop, runner.train_dataloader
        sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
        diff_rank_seed = runner._randomness_cfg.get('diff_rank_seed', False)
        if hasattr(sampler, 'seed') and not diff_rank_seed:
            # built before the checkpoint told the seed of the run
            sampler.seed = runner.seed
        entropy = None
        if not isinstance(loop, IterBasedTrainLoop):
            entropy = (runner.seed, runner.epoch)
            if loader.num_workers == 0:
                seed_samples(loader.dataset, entropy)
        loader.worker_init_fn = partial(start_worker, self._start, entropy)
        loader._iterator = None  # ends persistent workers
        if self._done:
            skip_batches(loop, self._done)
            self._done = 0

    def before_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Seed what the network draws in this step, such as dropout."""
        seed_everything(ITERATION, runner.seed, runner.iter, get_rank())

    def after_train_epoch(self, runner: Runner) -> None:
        """Undo the skipping of the first epoch after resuming."""
        sampler = runner.train_dataloader.batch_sampler
        if hasattr(sampler, '_lgd_whole'):
            sampler.__class__ = sampler._lgd_whole
            del runner.train_loop.run_iter

    def after_run(self, runner: Runner) -> None:
        """End the persistent workers of training and validation."""
        # collected later, in any order, torch would wait for each of them
        for loop in (runner._train_loop, runner._val_loop):
            loader = getattr(loop, 'dataloader', None)
            if loader is not None:
                loader._iterator = None


def batches_done(runner: Runner) -> int:
    """How many batches of the coming epoch a resumed run has trained.

    0, with a warning, where batch size, data or number of processes have
    changed since, so that the rest of the epoch is another one.
    """
    loop = runner.train_loop
    if not isinstance(loop, EpochBasedTrainLoop):
        return 0
    length = len(loop.dataloader)
    before = runner.message_hub.get_info('epoch_length', length)
    done = loop.iter - loop.epoch * before
    if done and (before != length or not 0 < done < length):
        runner.logger.warning(
            f'EpochSeedHook: the checkpoint was written {done} iterations '
            f'into an epoch of {before}, and an epoch has {length} now: '
            f'epoch {loop.epoch + 1} begins anew.'
        )
        return 0
    return done


def skip_batches(loop: EpochBasedTrainLoop, done: int) -> None:
    """Let the coming epoch begin after so many batches, unread.

    The epoch keeps its length, and hooks, and so the log, get the numbers
    that the batches have in the whole epoch.
    """
    sampler = loop.dataloader.batch_sampler

    class Rest(type(sampler)):
        _lgd_whole = type(sampler)

        def __iter__(self) -> Iterator[list[int]]:
            return islice(super().__iter__(), done, None)

    def run_iter(idx: int, data_batch: Any) -> None:
        type(loop).run_iter(loop, idx + done, data_batch)

    sampler.__class__ = Rest
    loop.run_iter = run_iter


def seed_everything(*entropy: int, devices: bool = True) -> None:
    """Seed random, numpy and torch from these numbers.

    Args:
        entropy: The numbers.
        devices: GPUs too, which is slow from a data worker.
    """
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    (torch if devices else torch.default_generator).manual_seed(seed)


def seed_samples(dataset: Dataset, entropy: tuple[int, ...]) -> None:
    """Seed all generators from these numbers and the index of each sample.

    Crops and flips then depend on nothing else: not on the number of workers
    or processes, nor on what was read before. The data set gets a subclass
    of its class, so that it stays what it is for everybody else.
    """
    if not hasattr(dataset, '_lgd_entropy'):
        dataset.__class__ = _seeded_class(type(dataset))
    dataset._lgd_entropy = entropy


def _seeded_class(cls: type) -> type:
    def getitem(self: Dataset, index: int) -> object:
        numbers = (SAMPLE, *self._lgd_entropy, int(index))
        seed_everything(*numbers, devices=False)
        return cls.__getitem__(self, index)

    def getitems(self: Dataset, indices: list[int]) -> list:
        return [self[index] for index in indices]

    methods = {'__getitem__': getitem}
    if hasattr(cls, '__getitems__'):  # torch prefers it
        methods['__getitems__'] = getitems
    return type(cls.__name__, (cls,), methods)


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
        worker_id: Its number.
    """
    if start is not None:
        start(worker_id)
    for number in SIGNALS:
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
