"""Kills and stops ranks of trainings, without an agent that ends the others.

Each training is the tiny one of tests/engine: four epochs, the switch from
stage 1 to stage 2 in the middle, dropout, random augmentation, the hooks of
the configs, on two to four processes (gloo).
"""

import os
import shutil
import time
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

REPO = Path(__file__).resolve().parents[2]
SIZES = (2, 3, 4)
# a rank that dies, and one that hangs
KINDS = ('SIGKILL', 'SIGSTOP')
# seconds: the time-out of the process group, and what may come on top
TIMEOUT, GRACE = 5, 30
_KEYS = ('state_dict', 'optimizer', 'param_schedulers')


def soak_distributed(
    faults: int = 20,
    work_dir: str | Path = 'work_dirs/soak_distributed',
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Fault after fault, on worlds of changing size.

    A fault is survived when all other ranks end with an error, within
    ``TIMEOUT + GRACE`` seconds, and the run that is then resumed ends with
    the weights, optimiser and schedule of one that nothing befell, bit for
    bit.

    Args:
        faults: How many are to hit a training that runs.
        work_dir: Gets the runs; those that survive are removed.
        seed: Of sizes, kinds and moments.
        progress: Show a bar.

    Returns:
        ``name``, ``tried``, ``survived``, ``lost``, ``figures`` (the longest
        time from a fault to the end of the last rank, by kind of fault, and
        the number of faults by kind and size), ``failures``: a sentence each.
    """
    dist = load_dist_run()
    work_dir = Path(work_dir)
    shutil.rmtree(work_dir, ignore_errors=True)
    rng = np.random.default_rng(seed)
    whole: dict[int, tuple[Path, float]] = {}
    report: dict[str, Any] = dict(
        name='distributed', tried=0, survived=0, lost=0
    )
    failures: list[str] = []
    hits: Counter = Counter()
    slowest = dict.fromkeys(KINDS, 0.0)
    with tqdm(total=faults, disable=not progress, desc='faults') as bar:
        while report['tried'] < faults:
            size = int(rng.choice(SIZES))
            if size not in whole:
                folder = work_dir / f'whole_{size}'
                start = time.monotonic()
                _world(dist, size, folder).results()
                whole[size] = (folder, time.monotonic() - start)
            reference, took = whole[size]
            kind = str(rng.choice(KINDS))
            folder = work_dir / f'run_{sum(hits.values()):04d}'
            shutil.rmtree(folder, ignore_errors=True)
            trouble, seconds = _one_fault(dist, folder, size, kind, rng, took)
            if seconds is None:
                continue  # it ended before the fault
            trouble = trouble or _resume(dist, folder, reference, size)
            hits[f'{kind} of 1 in {size}'] += 1
            slowest[kind] = max(slowest[kind], seconds)
            report['tried'] += 1
            bar.update()
            if trouble:
                report['lost'] += 1
                failures.append(f'{folder}, {kind} of 1 in {size}: {trouble}')
            else:
                report['survived'] += 1
                shutil.rmtree(folder)
    figures = {k: hits[k] for k in sorted(hits)}
    for kind, seconds in slowest.items():
        figures[f'slowest end after {kind}, s'] = round(seconds, 2)
    return dict(report, figures=figures, failures=failures)


def load_dist_run() -> ModuleType:
    """tests/engine/dist_run.py, with everything that it needs imported."""
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    torch.set_num_threads(1)
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    from tests.engine import dist_run

    return dist_run


def _world(dist: ModuleType, size: int, folder: Path) -> Any:
    """Start the ranks of a run, or start them again."""
    folder.mkdir(parents=True, exist_ok=True)
    cfg = _config(dist, folder)

    def work() -> None:
        name = f'rank_{os.environ["RANK"]}.log'
        log = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        dist.train(cfg, resume=True)

    return dist.World(size, work)


def _config(dist: ModuleType, folder: Path) -> Any:
    cfg = dist.distributed_config(
        folder,
        1,
        length=12,
        max_epochs=4,
        switch_epoch=2,
        dropout_ratio=0.5,
        augment=True,
        shuffle=True,
        safe=True,
    )
    cfg.env_cfg.dist_cfg.timeout = TIMEOUT
    cfg.log_level = 'ERROR'
    return cfg


def _one_fault(
    dist: ModuleType,
    folder: Path,
    size: int,
    kind: str,
    rng: np.random.Generator,
    took: float,
) -> tuple[str, float | None]:
    """What went wrong, and the seconds in which all ranks had ended.

    The seconds are None where the training was over before the fault.
    """
    victim, moment = int(rng.integers(size)), rng.uniform(0, took)
    world = _world(dist, size, folder)
    try:
        time.sleep(moment)
        if not world.send(victim, kind):
            world.wait()
            return '', None
        start = time.monotonic()
        others = [p for i, p in enumerate(world.ranks) if i != victim]
        for process in others:
            left = start + TIMEOUT + GRACE - time.monotonic()
            process.join(max(left, 0))
        seconds = time.monotonic() - start
        late = [p for p in others if p.is_alive()]
    finally:
        world.kill()
    ended = world.wait()
    if late:
        return f'{len(late)} ranks still ran {seconds:.0f} s later', seconds
    rest = [e for i, e in enumerate(ended) if i != victim]
    if all(e.exitcode == 0 for e in rest):
        return '', None  # their work was done
    if not all(e.exitcode == 0 or e.error for e in rest):
        return f'no message: exit codes {[e.exitcode for e in rest]}', seconds
    return '', seconds


def _resume(dist: ModuleType, folder: Path, reference: Path, size: int) -> str:
    """What differs from the reference after resuming; '' if nothing does."""
    ended = _world(dist, size, folder).wait()
    errors = [e.error[-500:] for e in ended if e.exitcode != 0]
    if errors:
        return f'resuming failed: {errors[0]}'
    a, b = (dist.tiny_run.checkpoint(f, 4) for f in (reference, folder))
    differ = [k for k in _KEYS if not dist.tiny_run.same(a[k], b[k])]
    return f'another end: {", ".join(differ)}' if differ else ''
