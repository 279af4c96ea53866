"""Random numbers of an epoch depend on seed, epoch, rank and worker only."""

import random
import subprocess
import time
from functools import partial
from multiprocessing import SimpleQueue, get_context
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from lgd_mmaction.engine.epoch_seed_hook import (
    EpochSeedHook,
    end_workers_at_exit,
    seed_everything,
    seed_samples,
    skip_batches,
    start_worker,
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
        train_dataloader=loader,
        seed=seed,
        _randomness_cfg={},
        train_loop=None,
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


def test_earlier_worker_init_fn_still_runs(tiny: ModuleType) -> None:
    runner, hook = fake_runner(1), EpochSeedHook()
    hook._start = start = runner.train_dataloader.worker_init_fn
    for runner.epoch in (0, 1):
        hook.before_train_epoch(runner)
        made = runner.train_dataloader.worker_init_fn
        assert made.func is start_worker
        assert made.args == (start, (5, runner.epoch))


def test_one_seed_for_all_generators() -> None:
    seed_everything(1, 2, 3)
    a = random.random(), np.random.rand(), torch.rand(2)
    seed_everything(1, 2, 3)
    b = random.random(), np.random.rand(), torch.rand(2)
    assert a[:2] == b[:2] and torch.equal(a[2], b[2])


def test_registered(tiny: ModuleType) -> None:
    from mmaction.registry import HOOKS

    assert HOOKS.get('EpochSeedHook') is EpochSeedHook


# skipping within an epoch


class Read(torch.utils.data.Dataset):
    """Notes which samples are read."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> float:
        self.read.append(index)
        return torch.rand(()).item()


def test_skipped_samples_are_not_read() -> None:
    data = Read()
    loader = torch.utils.data.DataLoader(data, batch_size=3)
    loop = type('Loop', (), dict(run_iter=lambda self, i, b: seen.append(i)))()
    loop.dataloader = loader
    seen: list[int] = []
    skip_batches(loop, 2)
    assert len(loader) == 4
    for i, batch in enumerate(loader):
        loop.run_iter(i, batch)
    assert data.read == [6, 7, 8, 9] and seen == [2, 3]
    hook = EpochSeedHook()
    for _ in range(2):  # a second call changes nothing
        hook.after_train_epoch(
            SimpleNamespace(train_loop=loop, train_dataloader=loader)
        )
    assert 'run_iter' not in vars(loop)
    data.read.clear()
    assert len(list(loader)) == 4 and data.read == list(range(10))


def test_samples_have_their_own_seeds() -> None:
    data = Read()
    seed_samples(data, (1, 0))
    assert type(data) is not Read and isinstance(data, Read)
    first = [data[i] for i in range(4)]
    assert len(set(first)) == 4 and data[2] == first[2]
    seed_samples(data, (1, 1))
    assert len({*first, *(data[i] for i in range(4))}) == 8
    seed_samples(data, (1, 0))
    assert [data[i] for i in (3, 1)] == [first[3], first[1]]


# data workers and signals


class Tens(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        return 10 * index


called: list[int] = []


def loader() -> DataLoader:
    return DataLoader(
        Tens(),
        num_workers=1,
        prefetch_factor=1,
        persistent_workers=True,
        worker_init_fn=partial(start_worker, called.append, (0,)),
    )


def test_a_worker_outlives_the_clusters_signal() -> None:
    batches = iter(loader())
    assert next(batches) == 0
    (worker,) = batches._workers
    for name in ('TERM', 'INT', 'USR1', 'TERM'):
        subprocess.run(['kill', f'-{name}', str(worker.pid)], check=True)
    time.sleep(0.5)
    assert worker.is_alive()
    assert [int(b) for b in batches] == [10, 20, 30, 40, 50, 60, 70]


def _read() -> None:
    end_workers_at_exit()
    batches = iter(loader())
    next(batches)
    # a program that ends in the middle of an epoch, and keeps its loader
    _read.kept = batches


def test_they_end_with_a_process_of_multiprocessing() -> None:
    # the parent has asked for it too, which a fork inherits
    end_workers_at_exit()
    process = get_context('fork').Process(target=_read)
    process.start()
    process.join(30)
    assert process.exitcode == 0


def _hold(pids: SimpleQueue) -> None:
    batches = iter(loader())
    next(batches)
    pids.put(batches._workers[0].pid)
    time.sleep(60)


def test_a_worker_ends_with_a_process_that_is_killed() -> None:
    context = get_context('fork')
    pids = context.SimpleQueue()
    process = context.Process(target=_hold, args=(pids,))
    process.start()
    pid = pids.get()
    process.kill()
    process.join()
    for _ in range(100):
        # a zombie is nobody's child here: init takes it
        stat = Path(f'/proc/{pid}/stat')
        if not stat.exists() or stat.read_text().split()[2] == 'Z':
            break
        time.sleep(0.05)
    else:
        pytest.fail('the worker lives on')
