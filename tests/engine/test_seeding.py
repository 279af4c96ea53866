"""Data workers and signals: who outlives what, and for how long."""

import subprocess
import time
from multiprocessing import get_context

import torch
from torch.utils.data import DataLoader

from lgd_mmaction.engine.seeding import WorkerSeeder, end_workers_at_exit


class Tens(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        return 10 * index


def loader() -> DataLoader:
    return DataLoader(
        Tens(),
        num_workers=1,
        prefetch_factor=1,
        persistent_workers=True,
        worker_init_fn=WorkerSeeder(None, (0,)),
    )


def test_a_worker_outlives_the_clusters_signal_not_its_process() -> None:
    batches = iter(loader())
    assert next(batches) == 0
    (worker,) = batches._workers
    for name in ('TERM', 'INT', 'TERM'):
        subprocess.run(['kill', f'-{name}', str(worker.pid)], check=True)
    time.sleep(0.5)
    assert worker.is_alive()
    assert [int(b) for b in batches] == [10, 20, 30, 40, 50, 60, 70]
    worker.terminate()
    worker.join(20)
    assert worker.exitcode == 0


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
