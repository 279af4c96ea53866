"""cuDNN's search, and the notice of wrong bf16 gradients."""

import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lgd_mmaction.engine.device_settings_hook import (
    DeviceSettingsHook,
    wrong_in_bf16,
)
from lgd_mmaction.models.pseudo3d import Pseudo3DConv


@pytest.fixture(autouse=True)
def kept_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, 'benchmark', False)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor with the fault."""
    monkeypatch.setattr(
        torch.backends.cpu, 'get_cpu_capability', lambda: 'AVX512'
    )
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: False)


def network(dtype: torch.dtype = torch.bfloat16) -> nn.Module:
    return nn.ModuleDict(
        {
            'wrong': nn.Conv3d(2, 2, (3, 1, 1)),
            'again': nn.Conv3d(2, 2, (5, 1, 1)),
            'dense': nn.Conv3d(2, 2, 3),
            'point': nn.Conv3d(2, 2, 1),
            'ours': Pseudo3DConv(2, 2, 3),
        }
    ).to(dtype)


def test_search_in_training_only() -> None:
    hook = DeviceSettingsHook()
    hook.before_train_epoch(None)
    assert torch.backends.cudnn.benchmark
    hook.before_val_epoch(None)
    assert not torch.backends.cudnn.benchmark
    hook.after_val_epoch(None)
    assert torch.backends.cudnn.benchmark


def test_off_in_testing() -> None:
    hook = DeviceSettingsHook()
    hook.before_train_epoch(None)
    assert torch.backends.cudnn.benchmark
    hook.before_test_epoch(None)
    assert not torch.backends.cudnn.benchmark


def test_wrong_layers_are_named_once(
    faulty: None, caplog: pytest.LogCaptureFixture
) -> None:
    runner = SimpleNamespace(
        model=network(), logger=logging.getLogger('device')
    )
    DeviceSettingsHook().before_train(runner)
    (record,) = caplog.records
    assert record.message.startswith('wrong and 1 more are nn.Conv3d')
    assert "pseudo3d='A'" in record.message


def test_only_bf16_is_wrong(faulty: None) -> None:
    assert wrong_in_bf16(network()) == ['wrong', 'again']
    assert wrong_in_bf16(network(torch.float32)) == []
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert wrong_in_bf16(network(torch.float32)) == ['wrong', 'again']


def test_other_processors_are_right(
    faulty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: True)
    assert wrong_in_bf16(network()) == []
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: False)
    monkeypatch.setattr(
        torch.backends.cpu, 'get_cpu_capability', lambda: 'AVX2'
    )
    assert wrong_in_bf16(network()) == []
