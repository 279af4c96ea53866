"""Kills trainings at random moments, resumes them, compares the ends.

Each training is the tiny one of tests/engine/tiny_run.py: four epochs, the
switch from stage 1 to stage 2 in the middle, dropout, random augmentation,
validation with a best checkpoint, half of them with a persistent data worker.
It is forked from a process that has imported torch and mmaction2 already, so
that a kill and a resume take seconds.
"""

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from tests.engine.dist_run import free_port
from tests.soak.killers import (
    killer_at_switch,
    killer_in_files,
    note_of,
    sender_at_hook,
)

REPO = Path(__file__).resolve().parents[2]
# how often a kill is of each kind: at any moment, inside the writing of a
# checkpoint, at the switch of the stage, and SIGTERM at any moment
KINDS = {'moment': 0.4, 'saving': 0.3, 'switch': 0.1, 'sigterm': 0.2}
_LIMIT = 120  # seconds that a tiny run may take at most
_HOOK_CALLS = 72  # of a whole run, from before_train on, less some
_PREEMPTED = 85  # EXIT_PREEMPTED of the engine
# a signal that comes before one of these ends this rank alone
_IN_VALIDATION = (
    'before_val', 'before_val_epoch', 'before_val_iter', 'after_val_iter',
)  # fmt: skip
_TIMES = ('time', 'data_time', 'memory', 'eta')


class Start(NamedTuple):
    """How one start of a training ended.

    Attributes:
        codes: Exit codes of the ranks (negative: the signal that killed it;
            0: all of the training is done).
        seconds: How long it took.
        fault: What no kill explains; '' if all is well.
    """

    codes: list[int]
    seconds: float
    fault: str


def soak_crashes(
    kills: int = 50,
    work_dir: str | Path = 'work_dirs/soak_crashes',
    seed: int = 0,
    processes: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Kill trainings, resume each with ``--resume auto``, compare its end.

    A run is killed one to three times, then left to finish. It survives when
    weights, optimiser, schedule, best checkpoint, the files that are kept and
    every logged metric equal the uninterrupted run's, bit for bit, and every
    start ended as its kill ends one: a hang or an error is a loss.

    Args:
        kills: How many kills are to hit a training that runs.
        work_dir: Gets the runs; those that survive are removed.
        seed: Of the moments.
        processes: Ranks of each run (gloo); one of them or all are killed.
        progress: Show a bar.

    Returns:
        ``tried``, ``survived``, ``lost`` (numbers of kills), ``kinds``
        (kills of each kind), ``runs``, ``runs_with_workers``, ``seconds``,
        ``resumed_mid_epoch``, and ``failures``: a sentence for each run that
        was lost.
    """
    tiny = load_tiny_run()
    work_dir = Path(work_dir)
    shutil.rmtree(work_dir, ignore_errors=True)
    rng = np.random.default_rng(seed)
    start = time.monotonic()
    # workers: the run that nothing befell, and its seconds
    whole: dict[int, tuple[Path, float]] = {}
    kinds: Counter = Counter()
    report = dict(tried=0, survived=0, lost=0, runs=0, failures=[])
    mid_epoch = with_workers = 0
    with tqdm(total=kills, disable=not progress, desc='kills') as bar:
        while report['tried'] < kills:
            workers = int(rng.integers(0, 2))
            with_workers += workers
            if workers not in whole:
                folder = work_dir / ('whole_workers' if workers else 'whole')
                first = run(tiny, folder, processes, workers=workers)
                if first.fault:
                    raise RuntimeError(
                        f'the whole run {first.fault}: {log_of(folder)}'
                    )
                whole[workers] = (folder, first.seconds)
            reference, took = whole[workers]
            folder = work_dir / f'run_{report["runs"]:04d}'
            report['runs'] += 1
            wanted = min(int(rng.integers(1, 4)), kills - report['tried'])
            hit = 0
            faults = []
            for _ in range(wanted):
                kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
                killed = run(tiny, folder, processes, kind, rng, took, workers)
                if not any(killed.codes):
                    break  # it ended before the kill
                hit += 1
                kinds[kind] += 1
                if killed.fault:
                    # not resumed: what it left is there to be looked at
                    faults = [f'the start for {kind} {killed.fault}']
                    break
                mid_epoch += (folder / 'mid_epoch.pth').is_file()
            if not faults:
                last = run(tiny, folder, processes, workers=workers)
                faults = [f'the last start {last.fault}'] * bool(last.fault)
                faults = faults or differences(tiny, reference, folder)
            if faults:
                hit = max(hit, 1)  # lost, even if no kill hit it
                report['lost'] += hit
                report['failures'].append(
                    f'{folder}: {"; ".join(faults)}: {log_of(folder)}'
                )
            else:
                report['survived'] += hit
                shutil.rmtree(folder)
            report['tried'] += hit
            bar.update(hit)
    seconds = round(time.monotonic() - start, 1)
    return dict(
        report,
        kinds=dict(kinds),
        runs_with_workers=with_workers,
        resumed_mid_epoch=mid_epoch,
        seconds=seconds,
    )


def load_tiny_run() -> ModuleType:
    """tests/engine/tiny_run.py, with everything that it needs imported."""
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    torch.set_num_threads(1)
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    from tests.engine import tiny_run

    return tiny_run


def run(
    tiny: ModuleType,
    folder: Path,
    processes: int,
    kind: str | None = None,
    rng: np.random.Generator | None = None,
    took: float = 0.0,
    workers: int = 0,
) -> Start:
    """One start of a training with ``--resume auto``.

    Args:
        tiny: The module of the training.
        folder: Its work directory.
        processes: Ranks.
        kind: How it is killed, a key of ``KINDS``; None: it is not.
        rng: Draws the moment.
        took: Seconds of a whole run.
        workers: Persistent data workers of each rank.

    Returns:
        How it ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prepare = None
    victims = set(range(processes))
    if kind is not None and rng.integers(0, 2):
        # one rank dies, not all of them as when a machine is lost
        victims = {int(rng.integers(0, processes))}
    if kind == 'saving':
        prepare = killer_in_files(int(rng.integers(0, 60)))
    elif kind == 'switch':
        victims = set(range(processes))
        prepare = killer_at_switch(bool(rng.integers(0, 2)))
    elif kind == 'sigterm':
        prepare = sender_at_hook(int(rng.integers(0, _HOOK_CALLS)), folder)
    start = time.monotonic()
    port = free_port()
    pids = [
        _fork(
            tiny,
            folder,
            rank,
            processes,
            port,
            prepare if rank in victims else None,
            workers,
        )
        for rank in range(processes)
    ]
    codes: dict[int, int] = {}
    hung = False
    ended: set[int] = set()  # by this function, because another rank died
    moment = None
    if kind == 'moment':
        # a quarter of the time is spent before the first step
        moment = start + rng.uniform(0.2 * took, took)
    while len(codes) < processes:
        now = time.monotonic()
        # a rank that failed before is not to be hidden by the kill
        if moment is not None and now >= moment and not any(codes.values()):
            moment = None
            for rank in victims - codes.keys():
                os.kill(pids[rank], signal.SIGKILL)
        for rank, pid in enumerate(pids):
            if rank not in codes:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    codes[rank] = os.waitstatus_to_exitcode(status)
        hung = hung or (len(codes) < processes and now - start > _LIMIT)
        # torchrun ends the other ranks when one has died
        if hung or any(c < 0 for c in codes.values()):
            for rank, pid in enumerate(pids):
                if rank not in codes:
                    ended.add(rank)
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    in_order = [codes[r] for r in range(processes)]
    alone = {r for r in victims if _heard_in_validation(folder, pids[r])}
    fault = fault_of(kind, in_order, victims - ended, alone, hung)
    return Start(in_order, time.monotonic() - start, fault)


def fault_of(
    kind: str | None,
    codes: list[int],
    struck: set[int],
    alone: set[int],
    hung: bool,
) -> str:
    """What is wrong with the end of a start; '' if its kill explains it.

    Args:
        kind: How it was to be killed; None: not at all.
        codes: Exit codes of the ranks. All 0: it ended before the kill.
        struck: Ranks that were to die, less those that had to be ended
            after another.
        alone: Ranks that got SIGTERM during validation.
        hung: Whether it had to be ended after ``_LIMIT`` seconds.
    """
    if hung:
        return f'did not end within {_LIMIT} s, exit codes {codes}'
    if not any(codes):
        return ''
    if kind == 'sigterm':
        left = {rank for rank, c in enumerate(codes) if c == _PREEMPTED}
        if len(left) == len(codes):
            return ''
        # a rank that leaves during validation does not ask the others, who
        # then miss it: an error, exit code 1
        if left and left <= alone and set(codes) == {_PREEMPTED, 1}:
            return ''
    elif kind and any(codes[rank] == -signal.SIGKILL for rank in struck):
        return ''
    return f'ended with exit codes {codes}'


def _heard_in_validation(folder: Path, pid: int) -> bool:
    note = note_of(folder, pid)
    return note.is_file() and note.read_text() in _IN_VALIDATION


def _fork(
    tiny: ModuleType,
    folder: Path,
    rank: int,
    processes: int,
    port: int,
    prepare: Callable[[], None] | None,
    workers: int,
) -> int:
    """Start a rank; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        out = os.open(
            folder / f'rank_{rank}.log', os.O_WRONLY | os.O_CREAT | os.O_APPEND
        )
        os.dup2(out, 1)
        os.dup2(out, 2)
        cfg = tiny.tiny_config(
            folder, dropout_ratio=0.5, augment=True, length=12,
            validate=True, safe=True, num_workers=workers,
        )  # fmt: skip
        if processes > 1:
            os.environ.update(
                RANK=str(rank), LOCAL_RANK=str(rank), MASTER_PORT=str(port),
                WORLD_SIZE=str(processes), MASTER_ADDR='127.0.0.1',
            )  # fmt: skip
            cfg.launcher = 'pytorch'
            cfg.train_dataloader.batch_size = 4 // processes
        # asks compilers and git for their versions, which takes a second
        from mmengine.runner import runner

        runner.collect_env = dict
        if prepare is not None:
            prepare()
        tiny.train(cfg, resume=True)
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def differences(tiny: ModuleType, whole: Path, folder: Path) -> list[str]:
    """What differs between the ends of two runs; nothing if all is well."""
    found = []
    names = [
        sorted(p.name for p in f.glob('[!.]*') if p.is_file())
        for f in (whole, folder)
    ]
    # of each start there is a log and the config
    names = [
        [n for n in group if not n.endswith(('.log', '.py'))]
        for group in names
    ]
    hidden = list(folder.glob('.*'))
    if names[0] != names[1] or hidden:
        found.append(f'files {names[1]} {hidden}, not {names[0]}')
    for name in names[0]:
        if not name.endswith('.pth') or name not in names[1]:
            continue
        a, b = (
            torch.load(f / name, map_location='cpu') for f in (whole, folder)
        )
        for key in ('state_dict', 'optimizer', 'param_schedulers'):
            if not tiny.same(a.get(key), b.get(key)):
                found.append(f'{key} of {name}')
        for key in ('epoch', 'iter'):
            if a['meta'][key] != b['meta'][key]:
                found.append(f'{key} of {name}')
    one, two = metrics_of(whole), metrics_of(folder)
    if one != two:
        steps = [
            k for k in one.keys() | two.keys() if one.get(k) != two.get(k)
        ]
        found.append(f'metrics of {sorted(steps)[:4]}')
    return found


def metrics_of(folder: Path) -> dict[tuple[str, int], dict]:
    """Everything that a run and its resumptions logged, by step.

    What was logged again after a resume counts, as in any reader of logs.
    """
    merged = {}
    files = sorted(folder.glob('*/vis_data/scalars.json'))
    for line in (x for f in files for x in f.read_text().splitlines()):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # the kill tore the line; its step is logged again
        mode = 'train' if 'loss' in entry else 'val'
        merged[mode, entry['step']] = {
            k: v for k, v in entry.items() if k not in _TIMES
        }
    return merged


def log_of(folder: Path) -> str:
    """The last words of the ranks of a run."""
    logs = sorted(folder.glob('rank_*.log'))
    return ' | '.join(p.read_text(errors='replace')[-800:] for p in logs)
