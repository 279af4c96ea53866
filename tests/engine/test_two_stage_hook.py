"""The switch from loss (5) to loss (6)."""

import logging
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import IterBasedTrainLoop, load_checkpoint
from torch import nn

from lgd_mmaction.engine.two_stage_hook import TwoStageHook
from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.kernelized_head import KernelizedHead


def fake_runner(model: nn.Module, epoch: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        model=model,
        epoch=epoch,
        max_epochs=4,
        train_loop=None,
        logger=logging.getLogger('fake'),
    )


@pytest.fixture
def model() -> nn.Module:
    return nn.ModuleDict({'cls_head': KernelizedHead(3, 4, sketch_dim=8)})


@pytest.mark.parametrize('switch_epoch', [0, 1, 3])
@pytest.mark.parametrize('before', [1, 2])
def test_stage_of_every_epoch(
    model: nn.Module, switch_epoch: int, before: int
) -> None:
    hook = TwoStageHook(switch_epoch)
    for epoch in range(5):
        # whatever stage a checkpoint has left behind
        model['cls_head'].set_stage(before)
        hook.before_train_epoch(fake_runner(model, epoch))
        expected = 1 if epoch < switch_epoch else 2
        assert model['cls_head'].active_stage == expected
        assert model['cls_head'].stage.item() == expected


def test_the_switch_is_logged_once(
    model: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    hook = TwoStageHook(2)
    with caplog.at_level(logging.INFO):
        for epoch in range(4):
            hook.before_train_epoch(fake_runner(model, epoch))
    (record,) = caplog.records
    assert 'epoch 3 begins in stage 2, loss (6)' in record.message


def test_through_a_wrapper(
    model: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        MMDistributedDataParallel, '__init__', nn.Module.__init__
    )
    wrapper = MMDistributedDataParallel()
    wrapper.module = model
    TwoStageHook(0).before_train_epoch(fake_runner(wrapper))
    assert model['cls_head'].active_stage == 2


def test_errors(model: nn.Module, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match='switch_epoch .* is -1'):
        TwoStageHook(-1)
    with pytest.raises(ConfigError, match='no KernelizedHead in Linear'):
        TwoStageHook(1).before_train(fake_runner(nn.Linear(1, 1)))
    by_iter = fake_runner(model)
    by_iter.train_loop = IterBasedTrainLoop.__new__(IterBasedTrainLoop)
    with pytest.raises(ConfigError, match='by_epoch=True'):
        TwoStageHook(1).before_train(by_iter)
    TwoStageHook(3).before_train(fake_runner(model))
    assert not caplog.records
    TwoStageHook(4).before_train(fake_runner(model))
    assert 'switch_epoch=4 is not reached' in caplog.text


@pytest.fixture(scope='module')
def crossing(
    tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The work_dir of one run of 4 epochs with the switch in the middle."""
    work_dir = tmp_path_factory.mktemp('crossing')
    cfg = tiny.tiny_config(work_dir, hooks=(dict(type='RecordHook'),))
    # a validation after every epoch, with the classifier of that epoch
    cfg.val_dataloader = cfg.train_dataloader.copy()
    cfg.val_dataloader.sampler = dict(type='DefaultSampler', shuffle=False)
    cfg.val_evaluator = dict(type='AccMetric')
    cfg.val_cfg = dict()
    tiny.train(cfg)
    return work_dir


def test_one_run_crosses_the_switch(crossing: Path, tiny: ModuleType) -> None:
    steps = torch.load(crossing / 'steps_0.pth')
    assert [s['stage'] for s in steps] == [1] * 4 + [2] * 4
    for step in steps:
        trained = {k for k in step['grads'] if k.startswith('cls_head')}
        names = ('local', 'global') if step['stage'] == 1 else ('sketch',)
        assert trained == {
            f'cls_head.fc_{n}.{kind}'
            for n in names
            for kind in ('weight', 'bias')
        }
        # the whole network in both stages; zero W^{x,g} too
        assert len(step['grads']) - len(trained) > 100


def test_idle_classifiers_stay(crossing: Path, tiny: ModuleType) -> None:
    states = [tiny.checkpoint(crossing, e)['state_dict'] for e in (1, 2, 3, 4)]
    assert [s['cls_head.stage'].item() for s in states] == [1, 1, 2, 2]
    for name, moves in (
        ('fc_local', [True, False, False]),
        ('fc_global', [True, False, False]),
        # the step from 2 to 3 is the first of stage 2
        ('fc_sketch', [False, True, True]),
        ('sketch.index', [False, False, False]),
    ):
        keys = [k for k in states[0] if k.startswith(f'cls_head.{name}')]
        assert keys
        for i, moved in enumerate(moves):
            for k in keys:
                same = torch.equal(states[i][k], states[i + 1][k])
                assert same != moved, (k, i)


@pytest.mark.parametrize(('epoch', 'stage'), [(2, 1), (3, 2)])
def test_checkpoint_tests_the_way_it_was_trained(
    crossing: Path, tiny: ModuleType, epoch: int, stage: int
) -> None:
    from mmaction.registry import MODELS

    model = MODELS.build(tiny.tiny_config(crossing).model).eval()
    # a fresh head is in stage 1; go through 2 to see that 1 is restored
    model.cls_head.set_stage(3 - stage)
    load_checkpoint(model, str(crossing / f'epoch_{epoch}.pth'))
    assert model.cls_head.active_stage == stage
    x = torch.randn(2, 1, 3, 2, 32, 32)
    with torch.no_grad():
        feats = model(x, mode='tensor')
        logits = model.cls_head.logits(feats)
        scores = model(x, mode='tensor', stage='head')
    assert set(logits) == ({'local', 'global'} if stage == 1 else {'cls'})
    mean = sum(z.softmax(1) for z in logits.values()) / len(logits)
    torch.testing.assert_close(scores.softmax(1), mean)
