"""Random numbers that depend on what is trained only: resuming is exact."""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from lgd_mmaction.engine.seeding import (
    ITERATION,
    end_workers_at_exit,
    seed_everything,
    seed_samples,
    start_worker,
)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds everything random anew before every step and every sample.

    mmengine saves no state of random generators: a resumed run draws other
    dropout masks and other crops than the uninterrupted one. With this hook

    - every sample is made with seeds from (seed of the run, epoch, index of
      the sample), whatever the number of workers and processes;
    - every epoch begins with seeds from (seed of the run, epoch, rank), every
      step with seeds from (seed of the run, iteration, rank);
    - a run that is resumed from a checkpoint written within an epoch goes on
      with the next batch; the ones before are skipped, not read.

    So a run that was killed and resumed ends with the same weights, bit for
    bit where the kernels are deterministic. Every epoch has its own
    augmentation (mmengine alone starts the data workers of each with the same
    seeds): persistent workers are started afresh, which also returns the
    memory that decoders leak.

    Training that counts iterations (``IterBasedTrainLoop``) is one epoch to
    mmengine: its samples are not seeded one by one, and a resumed run reads
    the batches before once more, with other crops.

    The seed is that of the run, which mmengine stores in the checkpoint and
    restores; it need not stand in the config. ``randomness=dict(
    diff_rank_seed=True)`` is respected: the order of the data is then left
    to mmengine, and only exact on resuming if the config names a seed.
    """

    _done = 0  # batches of the coming epoch that were trained before
    _start = None  # the loader's own worker_init_fn

    def before_train(self, runner: Runner) -> None:
        """See whether the run goes on within an epoch; wrap the workers."""
        self._done = batches_done(runner)
        length = len(runner.train_dataloader)
        if self._done:
            runner.logger.info(
                f'EpochSeedHook: epoch {runner.epoch + 1} goes on after '
                f'{self._done} of {length} batches.'
            )
        runner.message_hub.update_info('epoch_length', length)
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
        loader = runner.train_dataloader
        if isinstance(loader.batch_sampler, _Rest):
            vars(loader)['batch_sampler'] = loader.batch_sampler.whole
            del runner.train_loop.run_iter

    def after_run(self, runner: Runner) -> None:
        """End the persistent workers of training and validation.

        What is left of a run goes in any order when it is collected later;
        the workers could not be told then, and torch would wait for each.
        """
        for loop in (runner._train_loop, runner._val_loop):
            loader = getattr(loop, 'dataloader', None)
            if loader is not None:
                loader._iterator = None


def batches_done(runner: Runner) -> int:
    """How many batches of the coming epoch a resumed run has trained.

    0 at the beginning of an epoch, for loops that count iterations, and
    with a warning where batch size, data or number of processes have changed
    since, so that the rest of the epoch is another one.
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

    Their indices are drawn from the sampler and dropped; hooks, and so the
    log, get the numbers that the batches have in the whole epoch.
    """
    loader = loop.dataloader
    # torch forbids it by assignment; it is read when an epoch begins
    vars(loader)['batch_sampler'] = _Rest(loader.batch_sampler, done)

    def run_iter(idx: int, data_batch: Any) -> None:
        type(loop).run_iter(loop, idx + done, data_batch)

    loop.run_iter = run_iter


class _Rest:
    """A batch sampler without its first batches, of the same length.

    The length stays that of a whole epoch: schedules and logs count on it.
    """

    def __init__(self, whole: Any, done: int) -> None:
        self.whole = whole
        self.done = done

    def __iter__(self) -> Iterator[list[int]]:
        return islice(iter(self.whole), self.done, None)

    def __len__(self) -> int:
        return len(self.whole)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)
