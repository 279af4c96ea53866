"""A loss that is no number stops the run before the weights take it."""

import re
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from mmaction.registry import DATASETS, HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from lgd_mmaction.engine import FiniteLossHook
from lgd_mmaction.errors import TrainingError
from tests.configs.test_configs import CONFIGS, parsed


@DATASETS.register_module(force=True)
def BrokenVideos(**kwargs: object) -> torch.utils.data.Dataset:
    """TinyVideos of which clip 5 is full of NaN."""
    stock = DATASETS.get('TinyVideos')

    class Broken(stock):
        def __getitem__(self, index: int) -> dict:
            item = stock.__getitem__(self, index)
            if index == 5:
                item['inputs'] = item['inputs'] * float('nan')
            return item

    return Broken(**kwargs)


@HOOKS.register_module(force=True)
class BadGradientHook(Hook):
    """Gives one parameter an infinite gradient in one step."""

    def __init__(self, at_iter: int) -> None:
        self.at_iter = at_iter

    def before_train_iter(self, runner: Runner, **kwargs: object) -> None:
        if runner.iter == self.at_iter:
            weight = runner.model.cls_head.fc_local.weight
            handle = weight.register_hook(
                lambda grad: (handle.remove(), grad * float('inf'))[1]
            )


def broken_config(tiny: ModuleType, folder: Path) -> Config:
    """Clip 5 comes in the second of the three batches, in every epoch."""
    cfg = tiny.tiny_config(folder, safe=True, length=12, shuffle=False)
    cfg.train_dataloader.dataset = dict(
        type='TinyVideos', length=12, augment=False
    )
    cfg.optim_wrapper.clip_grad = dict(max_norm=40, norm_type=2)
    cfg.custom_imports.imports += ['test_finite_loss_hook']
    return cfg


def break_it(cfg: Config) -> None:
    cfg.train_dataloader.dataset = dict(type='BrokenVideos', length=12)


@pytest.mark.slow
def test_stops_with_step_and_rate(tiny: ModuleType, tmp_path: Path) -> None:
    cfg = broken_config(tiny, tmp_path)
    cfg.train_cfg.max_epochs = 1
    tiny.train(cfg)
    good = (tmp_path / 'epoch_1.pth').read_bytes()
    cfg.train_cfg.max_epochs = 4
    break_it(cfg)
    with pytest.raises(TrainingError) as error:
        tiny.train(cfg, resume=True)
    text = str(error.value)
    assert '\n' not in text
    assert 'iteration 5 (epoch 2), learning rate 0.02 ' in text
    assert '(rank 0: loss_local nan, loss_global nan)' in text
    assert f'the last checkpoint ({tmp_path / "epoch_1.pth"})' in text
    # nothing was saved over it, and what the run logged is finite
    assert (tmp_path / 'epoch_1.pth').read_bytes() == good
    assert [p.name for p in tmp_path.glob('*.pth')] == ['epoch_1.pth']
    logs = [p.read_text() for p in tmp_path.glob('*/vis_data/scalars.json')]
    assert 'NaN' not in ''.join(logs) and ''.join(logs).count('loss"') == 4


@pytest.mark.slow
def test_weights_did_not_take_it(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runners = []
    stock = Runner.train
    monkeypatch.setattr(
        Runner, 'train', lambda self: (runners.append(self), stock(self))[1]
    )
    cfg = broken_config(tiny, tmp_path)
    break_it(cfg)
    with pytest.raises(TrainingError, match='iteration 2 '):
        tiny.train(cfg)
    (runner,) = runners
    assert all(p.isfinite().all() for p in runner.model.parameters())
    assert not list(tmp_path.glob('*.pth'))
    assert 'there is none' in str(
        pytest.raises(TrainingError, tiny.train, cfg).value
    )


@pytest.mark.slow
def test_infinite_gradient(tiny: ModuleType, tmp_path: Path) -> None:
    cfg = broken_config(tiny, tmp_path)
    cfg.custom_hooks.append(dict(type='BadGradientHook', at_iter=4))
    with pytest.raises(TrainingError) as error:
        tiny.train(cfg)
    text = str(error.value)
    assert re.search(r'gradients are not finite \(norm (inf|nan)\)', text)
    assert 'iteration 5 (epoch 2)' in text
    saved = torch.load(tmp_path / 'epoch_1.pth')['state_dict']
    assert all(v.isfinite().all() for v in saved.values())
    assert [p.name for p in tmp_path.glob('*.pth')] == ['epoch_1.pth']


def rank_error(tiny: ModuleType, cfg: Config) -> str:
    try:
        tiny.train(cfg)
    except TrainingError as error:
        return str(error)
    return ''


@pytest.mark.slow
def test_all_ranks_stop(
    tiny: ModuleType, dist_run: ModuleType, tmp_path: Path
) -> None:
    cfg = broken_config(tiny, tmp_path)
    cfg.train_dataloader.batch_size = 2
    cfg.launcher = 'pytorch'
    break_it(cfg)
    one, two = dist_run.World(2, rank_error, tiny, cfg).results(60)
    # of clips 4 .. 7 rank 1 has the odd ones
    assert one == two and 'rank 1: ' in one and 'rank 0' not in one
    assert 'loss_local nan' in one and 'iteration 2 ' in one


# the loss scale of fp16


class Scaler:
    """What the hook asks of a GradScaler."""

    def __init__(self, scale: float) -> None:
        self.scale, self.asked = scale, 0

    def get_scale(self) -> float:
        self.asked += 1
        return self.scale


def step(hook: FiniteLossHook, norm: float, scaler: Scaler) -> None:
    history = SimpleNamespace(current=lambda: norm)
    wrapper = SimpleNamespace(
        grad_name='grad_norm', loss_scaler=scaler,
        get_lr=lambda: {'lr': [0.1]},
    )  # fmt: skip
    hub = SimpleNamespace(log_scalars={'train/grad_norm': history})
    runner = SimpleNamespace(
        optim_wrapper=wrapper, message_hub=hub, iter=7, epoch=1, work_dir='x'
    )
    hook.after_train_iter(runner, 0)


def test_steps_that_the_scaler_leaves_out_are_no_error() -> None:
    hook, scaler = FiniteLossHook(), Scaler(4.0)
    step(hook, 1.0, scaler)
    assert scaler.asked == 0  # asking waits for the GPU
    for norm in ('inf', 'nan', 'inf'):
        step(hook, float(norm), scaler)
    assert scaler.asked == 3


def test_collapsed_scale() -> None:
    hook, scaler = FiniteLossHook(), Scaler(1.0)
    step(hook, float('inf'), scaler)
    scaler.scale = 0.5
    with pytest.raises(
        TrainingError, match='the loss scale is 0.5 at iteration 8 .*bfloat'
    ):
        step(hook, float('inf'), scaler)


# clipping


@pytest.mark.slow
def test_every_training_config_clips() -> None:
    assert len(CONFIGS) > 50
    for name in CONFIGS:
        clip = parsed(name).optim_wrapper.clip_grad
        assert 0 < clip.max_norm <= 40 and clip.norm_type == 2, name


@pytest.mark.slow
def test_clipping_bounds_the_step(tiny: ModuleType, tmp_path: Path) -> None:
    cfg = tiny.tiny_config(tmp_path, safe=True, max_epochs=1)
    cfg.optim_wrapper.clip_grad = dict(max_norm=0.01, norm_type=2)
    cfg.custom_hooks.append(dict(type='RecordHook'))
    tiny.train(cfg)
    for taken in torch.load(tmp_path / 'steps_0.pth'):
        norm = sum(g.square().sum() for g in taken['grads'].values()).sqrt()
        assert norm.item() == pytest.approx(0.01, rel=1e-3)
