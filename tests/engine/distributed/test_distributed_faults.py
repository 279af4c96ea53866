"""A rank that dies or hangs ends the job soon, and the job starts again."""

import re
import signal
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

# crops, dropout, and the hooks of the configs, which make them repeatable
NOISE = dict(dropout_ratio=0.5, augment=True, shuffle=True, safe=True)
# the second iteration of the second epoch, and of stage 2
FAULT = dict(type='FaultHook', rank=1, at_iter=3)
# seconds; an idle machine needs one or two, torch's own time-out is 1800
SOON = 60


def seconds_after_fault(folder: Path, now: float) -> float:
    return now - float((folder / 'fault.txt').read_text())


@pytest.mark.slow
def test_killed_rank_ends_the_others(
    dist_run: ModuleType, tmp_path: Path
) -> None:
    # without an agent, as under Slurm: nobody tells them
    cfg = dist_run.distributed_config(tmp_path, 1, safe=True, hooks=(FAULT,))
    ended = dist_run.World(4, dist_run.train, cfg).wait()
    assert ended[1].exitcode == -signal.SIGKILL
    for rank in (0, 2, 3):
        assert ended[rank].exitcode == 1
        assert 'Connection' in ended[rank].error, ended[rank].error
        assert seconds_after_fault(tmp_path, ended[rank].at) < SOON
    assert (tmp_path / 'epoch_1.pth').exists()
    assert not (tmp_path / 'epoch_2.pth').exists()


@pytest.mark.slow
def test_hanging_rank_ends_the_others(
    dist_run: ModuleType, tmp_path: Path
) -> None:
    fault = dict(FAULT, signal='SIGSTOP')
    cfg = dist_run.distributed_config(tmp_path, 2, safe=True, hooks=(fault,))
    cfg.env_cfg.dist_cfg.timeout = 3
    world = dist_run.World(2, dist_run.train, cfg)
    world.ranks[0].join(dist_run.LIMIT)
    now = time.monotonic()
    assert world.ranks[1].is_alive()
    world.ranks[1].kill()
    ended = world.wait()
    assert ended[0].exitcode == 1
    assert re.search('(?i)timed out|timeout', ended[0].error), ended[0].error
    assert 2.5 < seconds_after_fault(tmp_path, now) < 3 + SOON


def finish(agents: list) -> list[tuple[int, str]]:
    """Exit codes and stderr of agents of torchrun."""
    try:
        said = [a.communicate(timeout=240)[1] for a in agents]
    finally:
        for agent in agents:
            agent.terminate()  # takes its ranks along
    return [(a.returncode, s) for a, s in zip(agents, said, strict=True)]


def weights_of(tiny: ModuleType, folder: Path) -> dict:
    """What a run of two epochs ends with."""
    last = tiny.checkpoint(folder, 2)
    keys = ('state_dict', 'optimizer', 'param_schedulers')
    return {key: last[key] for key in keys}


@pytest.mark.slow
def test_torchrun_ends_and_says_who_died(
    dist_run: ModuleType, tmp_path: Path
) -> None:
    cfg = dist_run.distributed_config(
        tmp_path / 'run', 2, max_epochs=50, safe=True, hooks=(FAULT,)
    )
    cfg.dump(tmp_path / 'run.py')
    # from nothing, as users do
    agent = dist_run.launch(tmp_path / 'run.py', 2, python=sys.executable)
    ((code, said),) = finish([agent])
    after = seconds_after_fault(tmp_path / 'run', time.monotonic())
    assert code == 1
    assert 'Signal 9 (SIGKILL) received by PID' in said
    assert re.search(r'rank\s*: 1 \(local_rank: 1\)', said)
    assert after < SOON
    assert not (tmp_path / 'run' / 'epoch_2.pth').exists()


@pytest.mark.slow
def test_two_nodes_start_again(
    dist_run: ModuleType, tiny: ModuleType, tmp_path: Path
) -> None:
    # two agents on one machine, as on two; after the fault both start their
    # ranks again
    whole, folder = tmp_path / 'whole', tmp_path / 'run'
    cfg = dist_run.distributed_config(whole, 2, **NOISE)
    dist_run.World(2, dist_run.train, cfg).results()
    cfg = dist_run.distributed_config(folder, 2, **NOISE)
    port = dist_run.free_port()
    cfg.custom_hooks.append(FAULT)
    cfg.dump(tmp_path / 'run.py')
    agents = [
        dist_run.launch(
            tmp_path / 'run.py', 1, '--resume',
            node=(number, 2, port), restarts=1,
        )
        for number in (0, 1)
    ]  # fmt: skip
    for code, said in finish(agents):
        assert code == 0, said[-3000:]
    assert (folder / 'fault.txt').exists()
    assert tiny.same(weights_of(tiny, whole), weights_of(tiny, folder))
