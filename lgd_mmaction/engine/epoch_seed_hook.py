"""Random numbers that depend on what is trained only: resuming is exact."""

from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from lgd_mmaction.engine.mid_epoch import (
    batches_done,
    read_all_batches,
    skip_batches,
)
from lgd_mmaction.engine.seeding import (
    ITERATION,
    Outliving,
    WorkerSeeder,
    end_workers_at_exit,
    seed_everything,
    seed_samples,
)

__all__ = ['EpochSeedHook', 'WorkerSeeder', 'seed_everything']


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds everything random anew before every step and every sample.

    mmengine saves no state of random generators: a resumed run draws other
    dropout masks and other crops than the uninterrupted one. With this hook

    - every sample is made with seeds from (seed of the run, epoch, index of
      the sample), whatever the number of workers and processes;
    - every step begins with seeds from (seed of the run, iteration, rank),
      every epoch with seeds from (seed, epoch, rank, data worker);
    - a run that is resumed from a checkpoint written within an epoch goes on
      with the next batch; the ones before are skipped, not read.

    So a run that was killed and resumed, from the checkpoint of an epoch or
    of an iteration, ends with the same weights, bit for bit where the kernels
    are deterministic.

    It also gives every epoch its own augmentation: mmengine alone starts
    the data workers of each epoch with the same seeds, unless
    ``persistent_workers`` keeps them alive. Here persistent workers are
    started afresh at the beginning of an epoch, which also returns the
    memory that video decoders leak.

    Training that counts iterations (``IterBasedTrainLoop``) is one epoch to
    mmengine: its samples are not seeded one by one, and a resumed run reads
    the batches before once more, with other crops.

    The seed is that of the run, which mmengine stores in the checkpoint and
    restores; it need not stand in the config. ``randomness=dict(
    diff_rank_seed=True)`` is respected: the order of the data is then left
    to mmengine, and only exact on resuming if the config names a seed.
    """

    def before_train(self, runner: Runner) -> None:
        """See whether the run goes on within an epoch."""
        self._done = batches_done(runner)
        if self._done:
            runner.logger.info(
                f'EpochSeedHook: epoch {runner.epoch + 1} goes on after '
                f'{self._done} of {len(runner.train_dataloader)} batches.'
            )
        length = len(runner.train_dataloader)
        runner.message_hub.update_info('epoch_length', length)
        # a signal to all processes of a job finds these workers idle
        loader = getattr(runner._val_loop, 'dataloader', None)
        if loader is not None and loader.num_workers > 0:
            loader.worker_init_fn = Outliving(loader.worker_init_fn)
            end_workers_at_exit()

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process, the sampler and the coming data workers."""
        entropy = (runner.seed, runner.epoch, get_rank())
        seed_everything(*entropy)
        loader = runner.train_dataloader
        sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
        diff_rank_seed = runner._randomness_cfg.get('diff_rank_seed', False)
        if hasattr(sampler, 'seed') and not diff_rank_seed:
            # built before the checkpoint told the seed of the run
            sampler.seed = runner.seed
        loop = getattr(runner, 'train_loop', None)
        samples = None
        if loop is None or isinstance(loop, EpochBasedTrainLoop):
            samples = (runner.seed, runner.epoch)
        start = loader.worker_init_fn
        if isinstance(start, WorkerSeeder):
            start = start.start
        loader.worker_init_fn = WorkerSeeder(start, entropy, samples)
        if loader.num_workers > 0:
            end_workers_at_exit()
        elif samples is not None:
            seed_samples(loader.dataset, samples)
        loader._iterator = None  # ends persistent workers
        done, self._done = getattr(self, '_done', 0), 0
        if done:
            skip_batches(loop, done)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None
    ) -> None:
        """Seed what the network draws in this step, such as dropout."""
        seed_everything(ITERATION, runner.seed, runner.iter, get_rank())

    def after_train_epoch(self, runner: Runner) -> None:
        """Undo the skipping of the first epoch after resuming."""
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop):
            read_all_batches(loop)

    def after_run(self, runner: Runner) -> None:
        """End the persistent workers of training and validation.

        What is left of a run goes in any order when it is collected later;
        the workers could not be told then, and torch would wait for each.
        """
        for loop in (runner._train_loop, runner._val_loop):
            loader = getattr(loop, 'dataloader', None)
            if loader is not None:
                loader._iterator = None
