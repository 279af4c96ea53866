"""Random numbers of an epoch depend on seed, epoch, rank and worker only."""

import random
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.runner import Runner

from lgd_mmaction.engine.epoch_seed_hook import (
    EpochSeedHook,
    WorkerSeeder,
    seed_everything,
)


class Numbers(torch.utils.data.Dataset):
    """Four draws from each generator that transforms use."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[float, float, float]:
        return random.random(), np.random.rand(), torch.rand(()).item()


def epoch_numbers(runner: SimpleNamespace, epoch: int) -> list:
    runner.epoch = epoch
    EpochSeedHook().before_train_epoch(runner)
    return [tuple(b) for b in runner.train_dataloader]


def fake_runner(num_workers: int, seed: int = 5) -> SimpleNamespace:
    loader = Runner.build_dataloader(
        dict(
            dataset=Numbers(),
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_size=1,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            collate_fn=lambda batch: batch[0],
        ),
        seed=77,
    )
    return SimpleNamespace(
        train_dataloader=loader, seed=seed, _randomness_cfg={}
    )


@pytest.mark.slow
@pytest.mark.parametrize('num_workers', [0, 2])
def test_epochs_differ_and_repeat(num_workers: int) -> None:
    runner = fake_runner(num_workers)
    first = [epoch_numbers(runner, e) for e in (0, 1, 2)]
    flat = [n for numbers in first for draws in numbers for n in draws]
    assert len(set(flat)) == len(flat) == 3 * 4 * 3
    # another process that begins at epoch 1, after any other draws
    torch.rand(10)
    assert epoch_numbers(fake_runner(num_workers), 1) == first[1]
    assert epoch_numbers(runner, 2) == first[2]
    assert epoch_numbers(fake_runner(num_workers, seed=6), 1) != first[1]


def test_sampler_gets_the_seed_of_the_run() -> None:
    runner = fake_runner(0)
    sampler = runner.train_dataloader.sampler
    assert isinstance(sampler, DefaultSampler) and sampler.seed == 77
    epoch_numbers(runner, 0)
    assert sampler.seed == 5
    runner = fake_runner(0)
    runner._randomness_cfg = {'diff_rank_seed': True}
    epoch_numbers(runner, 0)
    assert runner.train_dataloader.sampler.seed == 77


def test_earlier_worker_init_fn_still_runs() -> None:
    called = []
    seeder = WorkerSeeder(called.append, (1, 2, 0))
    seeder(3)
    after = torch.rand(2)
    seed_everything(1, 2, 0, 4)
    assert called == [3] and torch.equal(torch.rand(2), after)
    runner = fake_runner(0)
    start = runner.train_dataloader.worker_init_fn
    for epoch in (0, 1):
        epoch_numbers(runner, epoch)
        assert runner.train_dataloader.worker_init_fn.start is start


def test_one_seed_for_all_generators() -> None:
    seed_everything(1, 2, 3)
    a = random.random(), np.random.rand(), torch.rand(2)
    seed_everything(1, 2, 3)
    b = random.random(), np.random.rand(), torch.rand(2)
    assert a[:2] == b[:2] and torch.equal(a[2], b[2])


def test_registered(tiny: ModuleType) -> None:
    from mmaction.registry import HOOKS

    assert HOOKS.get('EpochSeedHook') is EpochSeedHook
