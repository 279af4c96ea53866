"""Random numbers that depend on the epoch only, so that resuming is exact."""

import random
from collections.abc import Callable

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds everything random anew before every epoch of training.

    mmengine saves no state of random generators: a resumed run draws other
    dropout masks and other crops than the uninterrupted one. With this hook
    every epoch begins with seeds made from (seed of the run, epoch, rank,
    data worker), so a run that was killed and resumed from the checkpoint of
    its last full epoch ends with the same weights, bit for bit where the
    kernels are deterministic.

    It also gives every epoch its own augmentation: mmengine alone starts
    the data workers of each epoch with the same seeds, unless
    ``persistent_workers`` keeps them alive. Here persistent workers are
    started afresh at the beginning of an epoch, which also returns the
    memory that video decoders leak.

    Training that counts iterations is one epoch to mmengine and is seeded
    once. A run resumed from a checkpoint written within an epoch begins that
    epoch again, with or without this hook.

    The seed is that of the run, which mmengine stores in the checkpoint and
    restores; it need not stand in the config. ``randomness=dict(
    diff_rank_seed=True)`` is respected: the order of the data is then left
    to mmengine, and only exact on resuming if the config names a seed.
    """

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
        start = loader.worker_init_fn
        if isinstance(start, WorkerSeeder):
            start = start.start
        loader.worker_init_fn = WorkerSeeder(start, entropy)
        loader._iterator = None  # ends persistent workers


class WorkerSeeder:
    """A ``worker_init_fn`` that seeds after the one that it replaces.

    Args:
        start: The function that it replaces, or None.
        entropy: What the seed is made from, besides the worker's number.
    """

    def __init__(
        self, start: Callable[[int], None] | None, entropy: tuple[int, ...]
    ) -> None:
        self.start = start
        self.entropy = entropy

    def __call__(self, worker_id: int) -> None:
        if self.start is not None:
            self.start(worker_id)
        seed_everything(*self.entropy, 1 + worker_id)


def seed_everything(*entropy: int) -> None:
    """Seed random, numpy and torch (all devices) from these numbers."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
