"""Told to stop, a run saves and ends; resumed, it ends as if never told."""

import logging
import os
import signal
import subprocess
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from lgd_mmaction.engine import PreemptionHook
from lgd_mmaction.engine.preemption_hook import end_for_resuming
from lgd_mmaction.errors import ConfigError

# dropout, random augmentation, 3 iterations an epoch, stage 2 from the third
RUN = dict(
    dropout_ratio=0.5, augment=True, length=12, safe=True, validate=True
)


@HOOKS.register_module(force=True)
class SignalHook(Hook):
    """Sends a signal to its own process, once.

    Args:
        at_iter: Before which iteration, or
        at_val: During the validation after which epoch.
        rank: Which rank.
        number: The signal.
    """

    def __init__(
        self,
        at_iter: int = -1,
        at_val: int = -1,
        rank: int = 0,
        number: int = signal.SIGTERM,
        once: str = '',
    ) -> None:
        self.at_iter, self.at_val = at_iter, at_val
        self.rank, self.number, self.once = rank, number, once

    def before_train_iter(self, runner: Runner, **kwargs: object) -> None:
        if self.once and Path(self.once).exists():
            return
        if runner.iter == self.at_iter and runner.rank == self.rank:
            if self.once:
                Path(self.once).touch()
            os.kill(os.getpid(), self.number)

    def before_val_iter(self, runner: Runner, **kwargs: object) -> None:
        if runner.epoch == self.at_val:
            os.kill(os.getpid(), self.number)


@pytest.fixture(scope='module')
def whole(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('whole')
    tiny.train(tiny.tiny_config(folder, **RUN))
    return folder


def metrics(folder: Path) -> dict:
    """What was logged, by step; times of the clock left out."""
    from tests.engine.resume.test_kill import load_crashes

    return load_crashes().metrics_of(folder)


def assert_same_end(tiny: ModuleType, whole: Path, folder: Path) -> None:
    a, b = (tiny.checkpoint(f, 4) for f in (whole, folder))
    assert b['meta']['iter'] == 12
    for key in ('state_dict', 'optimizer', 'param_schedulers'):
        assert tiny.same(a[key], b[key]), key
    one, two = metrics(whole), metrics(folder)
    assert len(one) == 12 + 4 and one == two
    assert not (folder / 'mid_epoch.pth').exists()


def preempted(
    tiny: ModuleType, folder: Path, resume: bool = False, **where: int
) -> dict:
    """Train until the signal; what was saved then."""
    hook = dict(type='SignalHook', **where)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    before = {number: signal.getsignal(number) for number in numbers}
    with pytest.raises(SystemExit) as end:
        tiny.train(tiny.tiny_config(folder, **RUN, hooks=(hook,)), resume)
    assert end.value.code == 85
    # the launcher may pass on what the cluster has sent already
    os.kill(os.getpid(), signal.SIGTERM)
    for number, handler in before.items():
        signal.signal(number, handler)
    return torch.load((folder / 'last_checkpoint').read_text())['meta']


@pytest.mark.slow
def test_in_the_middle_of_epochs(
    tiny: ModuleType, whole: Path, tmp_path: Path
) -> None:
    # the first iteration of an epoch, the second, the last, one of stage 2
    for at_iter, epoch, done in ((0, 0, 1), (4, 1, 5), (5, 2, 6), (7, 2, 8)):
        meta = preempted(tiny, tmp_path, resume=True, at_iter=at_iter)
        assert (meta['epoch'], meta['iter']) == (epoch, done)
        name = Path((tmp_path / 'last_checkpoint').read_text()).name
        assert name == ('epoch_2.pth' if done == 6 else 'mid_epoch.pth')
    tiny.train(tiny.tiny_config(tmp_path, **RUN), resume=True)
    assert_same_end(tiny, whole, tmp_path)


def test_before_the_first_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runner = SimpleNamespace(
        hooks=[],
        iter=0,
        work_dir=tmp_path,
        logger=logging.getLogger('preempted'),
        visualizer=SimpleNamespace(close=lambda: None),
    )
    with pytest.raises(SystemExit) as end:
        end_for_resuming(runner)
    assert end.value.code == 85
    assert 'a data worker was lost after iteration 0:' in caplog.text


@pytest.mark.slow
def test_during_validation(
    tiny: ModuleType, whole: Path, tmp_path: Path
) -> None:
    meta = preempted(tiny, tmp_path, at_val=2)
    assert (meta['epoch'], meta['iter']) == (2, 6)
    tiny.train(tiny.tiny_config(tmp_path, **RUN), resume=True)
    assert_same_end(tiny, whole, tmp_path)


@pytest.mark.slow
def test_epoch_without_a_checkpoint_of_its_own(
    tiny: ModuleType, whole: Path, tmp_path: Path
) -> None:
    for where in (dict(at_iter=2), dict(at_val=3)):
        hook = dict(type='SignalHook', **where)
        cfg = tiny.tiny_config(tmp_path, **RUN, hooks=(hook,))
        cfg.default_hooks.checkpoint.interval = 4
        with pytest.raises(SystemExit):
            tiny.train(cfg, resume=True)
        name = Path((tmp_path / 'last_checkpoint').read_text()).name
        assert name == 'mid_epoch.pth'
    tiny.train(tiny.tiny_config(tmp_path, **RUN), resume=True)
    assert_same_end(tiny, whole, tmp_path)


@pytest.mark.slow
def test_workers_do_not_matter(
    tiny: ModuleType, whole: Path, tmp_path: Path
) -> None:
    hook = dict(type='SignalHook', at_iter=4)
    for workers, hooks in ((2, (hook,)), (1, ())):
        cfg = tiny.tiny_config(tmp_path, **RUN, num_workers=workers)
        cfg.custom_hooks += hooks
        if hooks:
            with pytest.raises(SystemExit):
                tiny.train(cfg)
        else:
            tiny.train(cfg, resume=True)
    assert_same_end(tiny, whole, tmp_path)


@pytest.mark.slow
def test_whole_process_group(
    tiny: ModuleType, whole: Path, tmp_path: Path
) -> None:
    # as Slurm does: the data workers get the signal too; Ctrl-C as well
    cfg = tiny.tiny_config(tmp_path / 'run', **RUN, num_workers=2)
    # workers of validation that wait for the next one, as in our configs
    cfg.val_dataloader.update(num_workers=1, persistent_workers=True)
    cfg.custom_hooks.append(dict(type='SlowHook', seconds=0.5))
    cfg.dump(tmp_path / 'config.py')
    for starts, number in enumerate((signal.SIGTERM, signal.SIGINT), 1):
        process = subprocess.Popen(
            **tiny.program(tmp_path / 'config.py', '--resume'),
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

        # a step of this start has been logged; of the first one, an epoch
        def waits(starts: int = starts) -> bool:
            run = tmp_path / 'run'
            logs = list(run.glob('*/vis_data/scalars.json'))
            done = any('acc/top1' in path.read_text() for path in logs)
            return len(logs) < starts or not done

        while process.poll() is None and waits():
            time.sleep(0.1)
        time.sleep(0.5)
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 85, said
        name = signal.Signals(number).name
        assert f'{name}: finishing the step' in said
        assert 'DataLoader worker' not in said
    cfg = tiny.tiny_config(tmp_path / 'run', **RUN)
    tiny.train(cfg, resume=True)
    assert_same_end(tiny, whole, tmp_path / 'run')


def two_ranks(
    tiny: ModuleType, folder: Path, *hooks: dict, norm: str = 'BN'
) -> object:
    cfg = tiny.tiny_config(folder, **RUN, hooks=hooks)
    cfg.train_dataloader.batch_size = 2
    cfg.launcher = 'pytorch'
    return cfg


def rank_main(tiny: ModuleType, cfg: object) -> int:
    """A rank that says how it ended."""
    try:
        tiny.train(cfg, resume=True)
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.slow
def test_ranks_agree(
    tiny: ModuleType, dist_run: ModuleType, tmp_path: Path
) -> None:
    def codes(folder: Path, *hooks: dict) -> list[int]:
        cfg = two_ranks(tiny, folder, *hooks)
        return dist_run.World(2, rank_main, tiny, cfg).results()

    assert codes(tmp_path / 'whole') == [0, 0]
    # only one rank is told; statistics of batch norm differ between them
    told = dict(type='SignalHook', at_iter=4, rank=1)
    assert codes(tmp_path / 'run', told) == [85, 85]
    saved = torch.load(tmp_path / 'run' / 'mid_epoch.pth')
    assert saved['meta']['iter'] == 5
    one, two = saved['rank_buffers']
    assert one.keys() == two.keys() and len(one) > 20
    assert not tiny.same(one, two)
    assert codes(tmp_path / 'run') == [0, 0]
    assert_same_end(tiny, tmp_path / 'whole', tmp_path / 'run')


@pytest.mark.slow
def test_torchrun_restarts_it(
    tiny: ModuleType, dist_run: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / 'run'
    told = dict(
        type='SignalHook', at_iter=4, rank=1, once=str(tmp_path / 'told')
    )
    cfg = two_ranks(tiny, folder, told)
    cfg.custom_imports.imports += [__name__]
    (tmp_path / 'cfg').mkdir()
    cfg.dump(tmp_path / 'cfg' / 'run.py')
    process = dist_run.launch(
        tmp_path / 'cfg' / 'run.py', 2, '--resume', 'auto',
        restarts=1,
    )  # fmt: skip
    _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said[-3000:]
    logs = ''.join(p.read_text() for p in folder.glob('*/*.log'))
    assert (tmp_path / 'told').exists() and 'exit code 85' in logs
    whole = tmp_path / 'whole'
    cfg = two_ranks(tiny, whole)
    assert dist_run.World(2, rank_main, tiny, cfg).results() == [0, 0]
    assert_same_end(tiny, whole, folder)


# parts


def test_second_signal_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = PreemptionHook()
    sent = []
    now = [100.0]
    monkeypatch.setattr(os, 'kill', lambda *args: sent.append(args[1]))
    monkeypatch.setattr(time, 'monotonic', lambda: now[0])
    monkeypatch.setattr(signal, 'signal', lambda *args: sent.append(args))
    hook._heard(signal.SIGTERM, None)
    now[0] += 1.0  # the launcher passes it on
    hook._heard(signal.SIGTERM, None)
    assert sent == []
    now[0] += 1.5
    hook._heard(signal.SIGINT, None)
    assert sent == [(signal.SIGINT, signal.SIG_DFL), signal.SIGINT]


def test_needs_the_safe_checkpoints(tiny: ModuleType, tmp_path: Path) -> None:
    cfg = tiny.tiny_config(tmp_path, hooks=(dict(type='PreemptionHook'),))
    with pytest.raises(ConfigError, match='SafeCheckpointHook'):
        tiny.train(cfg)


@pytest.mark.slow
def test_changed_batch_size_begins_the_epoch_anew(
    tiny: ModuleType, tmp_path: Path
) -> None:
    preempted(tiny, tmp_path, at_iter=4)
    cfg = tiny.tiny_config(tmp_path, **RUN, max_epochs=2)
    cfg.train_dataloader.batch_size = 2
    runner = tiny.train(cfg, resume=True)
    text = ''.join(p.read_text() for p in tmp_path.glob('*/*.log'))
    assert '2 iterations into an epoch of 3, and an epoch has 6 now' in text
    assert runner.iter == 5 + 6


def test_not_in_tests(tmp_path: Path) -> None:
    hook = PreemptionHook()
    hook.before_run(SimpleNamespace(_train_loop=dict(max_epochs=1)))
    assert hook._stock == {}
