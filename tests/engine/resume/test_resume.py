"""A run that was killed and resumed ends as the uninterrupted one."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmaction.apis.inferencers import ActionRecogInferencer
from mmengine.config import Config

from lgd_mmaction.errors import ConfigError
from tests.warm import PYTHON

# dropout, random augmentation, and the hook that makes them repeatable
NOISE = dict(
    dropout_ratio=0.5, augment=True, hooks=(dict(type='EpochSeedHook'),)
)
VARIANTS = {'plain': {}, 'noise': NOISE}


@pytest.fixture(scope='module')
def uninterrupted(
    tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The work_dirs of runs of 4 epochs, stage 2 from the third."""
    folders = {}
    for name, kwargs in VARIANTS.items():
        folders[name] = tmp_path_factory.mktemp(name)
        tiny.train(tiny.tiny_config(folders[name], **kwargs))
    return folders


def assert_same_end(tiny: ModuleType, a: Path, b: Path) -> None:
    first, second = (tiny.checkpoint(w, 4) for w in (a, b))
    assert second['meta']['epoch'] == 4 and second['meta']['iter'] == 8
    for key in ('state_dict', 'optimizer', 'param_schedulers'):
        assert tiny.same(first[key], second[key]), key


def continue_from(source: Path, epoch: int, target: Path) -> None:
    """Lay out a work_dir as a run that was stopped after an epoch."""
    path = shutil.copy(source / f'epoch_{epoch}.pth', target)
    (target / 'last_checkpoint').write_text(str(path))


@pytest.mark.slow
@pytest.mark.parametrize('epoch', [1, 2, 3])  # before, at, after the switch
@pytest.mark.parametrize('variant', VARIANTS)
def test_stopped_between_epochs(
    tiny: ModuleType,
    uninterrupted: dict[str, Path],
    tmp_path: Path,
    variant: str,
    epoch: int,
) -> None:
    continue_from(uninterrupted[variant], epoch, tmp_path)
    torch.manual_seed(epoch)  # mmengine seeds again
    cfg = tiny.tiny_config(tmp_path, **VARIANTS[variant])
    runner = tiny.train(cfg, resume=True)
    assert runner.iter == 8
    assert not (tmp_path / f'epoch_{epoch - 1}.pth').exists()
    assert_same_end(tiny, uninterrupted[variant], tmp_path)


@pytest.mark.slow
def test_noise_needs_the_hook(
    tiny: ModuleType, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # mmengine restores no state of generators: documented, not wished for
    whole = tmp_path_factory.mktemp('whole')
    kwargs = {**NOISE, 'hooks': ()}
    tiny.train(tiny.tiny_config(whole, **kwargs))
    continue_from(whole, 3, tmp_path)
    tiny.train(tiny.tiny_config(tmp_path, **kwargs), resume=True)
    a, b = (tiny.checkpoint(w, 4)['state_dict'] for w in (whole, tmp_path))
    assert not tiny.same(a, b)


@pytest.mark.slow
def test_the_seed_need_not_stand_in_the_config(
    tiny: ModuleType, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # mmengine then draws a seed, and builds the sampler of the resumed run
    # with another one before it reads the first from the checkpoint
    whole = tmp_path_factory.mktemp('whole')
    for folder, resume in ((whole, False), (tmp_path, True)):
        if resume:
            continue_from(whole, 2, tmp_path)
        cfg = tiny.tiny_config(folder, **NOISE)
        cfg.randomness = dict(seed=None)
        tiny.train(cfg, resume=resume)
    assert_same_end(tiny, whole, tmp_path)


def run_until_killed(command: dict) -> None:
    done = subprocess.run(
        **command, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize('num_workers', [0, 2])
def test_killed_in_the_middle_of_epochs(
    tiny: ModuleType,
    uninterrupted: dict[str, Path],
    tmp_path: Path,
    num_workers: int,
) -> None:
    whole = uninterrupted['noise']
    kwargs = {**NOISE, 'num_workers': num_workers}
    if num_workers:  # other seeds: those of the workers
        whole = tmp_path / 'whole'
        tiny.train(tiny.tiny_config(whole, **kwargs))
    folder = tmp_path / 'killed'
    # the second iteration of epochs 2 (stage 1), 3 (the first of stage 2)
    # and 4: before, at and after the switch
    iterations = (3, 5, 7) if num_workers == 0 else (5,)
    # a start from nothing once
    python = PYTHON if num_workers == 0 else sys.executable
    for at_iter in iterations:
        cfg = tiny.tiny_config(folder, **kwargs)
        cfg.custom_hooks.append(dict(type='KillHook', at_iter=at_iter))
        path = tmp_path / f'kill_{at_iter}.py'
        cfg.dump(path)
        resume = () if at_iter == iterations[0] else ('--resume',)
        run_until_killed(tiny.program(path, *resume, python=python))
        last = at_iter // 2
        assert (folder / f'epoch_{last}.pth').exists()
        assert not (folder / f'epoch_{last + 1}.pth').exists()
    tiny.train(tiny.tiny_config(folder, **kwargs), resume=True)
    assert_same_end(tiny, whole, folder)


# the text of a config in a checkpoint is a program


@pytest.fixture
def bad(tiny: ModuleType, tmp_path: Path) -> Path:
    """A checkpoint whose texts write a file when they are executed."""
    tiny.train(tiny.tiny_config(tmp_path / 'run', max_epochs=1))
    content = tiny.checkpoint(tmp_path / 'run', 1)
    payload = f'open({str(tmp_path / "ran")!r}, "w").close()\nmodel = dict()\n'
    content['meta'].update(config=payload, cfg=payload)
    content['message_hub']['runtime_info']['cfg'] = payload
    torch.save(content, tmp_path / 'bad.pth')
    # the danger is real
    Config.fromstring(payload, '.py')
    (tmp_path / 'ran').unlink()
    return tmp_path / 'bad.pth'


def test_resuming_runs_none(
    tiny: ModuleType, bad: Path, tmp_path: Path
) -> None:
    cfg = tiny.tiny_config(tmp_path / 'next', max_epochs=2)
    cfg.load_from = str(bad)
    runner = tiny.train(cfg, resume=True)
    assert runner.iter == 4
    assert not (tmp_path / 'ran').exists()


def test_an_inferencer_wants_a_config(bad: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='a program'):
        ActionRecogInferencer(model=None, weights=str(bad), device='cpu')
    assert not (tmp_path / 'ran').exists()
