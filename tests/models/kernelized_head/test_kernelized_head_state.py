"""The head's checkpoints, idle classifiers and error messages."""

import copy
from collections.abc import Callable

import pytest
import torch

from lgd_mmaction.errors import CheckpointError, ConfigError
from lgd_mmaction.models.kernelized_head import KernelizedHead
from tests.models.kernelized_head.test_kernelized_head import (
    C,
    D,
    K,
    make,
    pair,
    samples,
)


def test_checkpoint_carries_stage_and_hashes() -> None:
    trained = make(stage=2, sketch_seed=9)
    fresh = make(stage=1, sketch_seed=1)
    feats = pair()
    fresh.load_state_dict(trained.state_dict())
    assert fresh.active_stage == 2
    assert torch.equal(fresh(feats), trained(feats))
    trained.set_stage(1)
    fresh.load_state_dict(trained.state_dict())
    assert fresh.active_stage == 1 and fresh.stage.item() == 1
    assert torch.equal(fresh(feats), trained(feats))
    assert copy.deepcopy(fresh).active_stage == 1


def test_checkpoint_of_other_classes_leaves_the_stage_alone() -> None:
    from mmengine.runner.checkpoint import load_state_dict

    kinetics = KernelizedHead(7, C, sketch_dim=D, stage=2)
    ucf = make(stage=1)
    load_state_dict(ucf, kinetics.state_dict())
    assert ucf.active_stage == 1 and ucf.stage.item() == 1
    probe = KernelizedHead(7, C, sketch_dim=D, features=('local',))
    load_state_dict(probe, kinetics.state_dict())
    assert probe.active_stage == 1


@pytest.mark.parametrize('value', [0, 3, -1])
def test_checkpoint_of_a_foreign_stage(value: int) -> None:
    state = make().state_dict()
    state['stage'] = torch.tensor(value)
    with pytest.raises(CheckpointError, match=f'in stage {value}'):
        make().load_state_dict(state)


def test_checkpoint_without_stage() -> None:
    state = make().state_dict()
    del state['stage']
    head = make(stage=2)
    head.load_state_dict(state, strict=False)
    assert head.active_stage == 2 and head.stage.item() == 2
    with pytest.raises(RuntimeError, match='Missing key.*stage'):
        head.load_state_dict(state)


def test_optimiser_leaves_the_idle_classifier_alone() -> None:
    head, feats = make(), pair()
    optimiser = torch.optim.SGD(
        head.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1
    )
    before = {k: v.clone() for k, v in head.state_dict().items()}

    def step() -> set[str]:
        nonlocal before
        losses = head.loss(feats, samples())
        optimiser.zero_grad()
        sum(v for k, v in losses.items() if 'loss' in k).backward()
        optimiser.step()
        after = {k: v.clone() for k, v in head.state_dict().items()}
        changed = {k for k in after if not torch.equal(before[k], after[k])}
        before = after
        return changed

    local_global = {
        f'fc_{name}.{kind}'
        for name in ('local', 'global')
        for kind in ('weight', 'bias')
    }
    assert step() == local_global
    head.set_stage(2)
    assert step() == {'stage', 'fc_sketch.weight', 'fc_sketch.bias'}
    assert step() == {'fc_sketch.weight', 'fc_sketch.bias'}
    # neither momentum nor weight decay moves what stage 1 has learnt
    head.set_stage(1)
    assert step() == {'stage'} | local_global


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(stage=3), 'stage of KernelizedHead is 3'),
        (dict(features=()), 'features of KernelizedHead'),
        (dict(features=('locl',)), "'locl'"),
        (dict(dropout_ratio=1.0), 'dropout_ratio .* 1.0'),
        (dict(average_clips='max'), "average_clips .* 'max'"),
        (dict(sketch_dim=0), 'sketch_dim .* 0'),
    ],
)
def test_wrong_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        KernelizedHead(K, C, **kwargs)
    if 'stage' in kwargs:
        with pytest.raises(ConfigError, match=message):
            make().set_stage(3)


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda x, g: x, 'got one feature map.*DiffusionNeck'),
        (lambda x, g: (x,), 'got one feature map.*DiffusionNeck'),
        (lambda x, g: ((x, g), (x, g)), 'one pair.*out_indices'),
        (lambda x, g: (x, g, g), 'one pair.*out_indices'),
        (lambda x, g: (x, x), 'g_L of shape'),
        (lambda x, g: (x[:, :4], g), 'local feature.* has 4 channels.* 6'),
        (lambda x, g: (x, g[:, :4]), 'global feature.*in_channels=4'),
        (lambda x, g: None, 'got NoneType'),
    ],
)
def test_wrong_inputs(spoil: Callable, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()(spoil(*pair()))
