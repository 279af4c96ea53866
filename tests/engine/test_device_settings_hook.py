"""cuDNN's search, and the notice of wrong bf16 gradients."""

import inspect
import logging
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from lgd_mmaction.engine import device_settings_hook
from lgd_mmaction.engine.device_settings_hook import (
    BFloat16OptimWrapper,
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


@pytest.mark.parametrize(
    ('bf16', 'gpu', 'kind', 'changed'),
    [
        (True, True, OptimWrapper, True),
        (False, True, OptimWrapper, False),
        (True, False, OptimWrapper, False),
        (True, True, AmpOptimWrapper, False),  # --amp
    ],
)
def test_bf16_on_gpus_that_have_it(
    monkeypatch: pytest.MonkeyPatch,
    bf16: bool,
    gpu: bool,
    kind: type,
    changed: bool,
) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda **_: gpu)
    wrapper = kind.__new__(kind)
    runner = SimpleNamespace(
        optim_wrapper=wrapper,
        model=nn.Linear(1, 1),
        logger=logging.getLogger('bf16'),
    )
    DeviceSettingsHook(bf16=bf16).before_train(runner)
    assert type(wrapper) is (BFloat16OptimWrapper if changed else kind)


def test_steps_in_bf16_update_float32_weights() -> None:
    model = nn.Linear(4, 2)
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), 1.0))
    before, x = model.weight.detach().clone(), torch.rand(3, 4)
    with wrapper.optim_context(model):
        out = model(x)
    assert out.dtype == torch.bfloat16
    wrapper.update_params(out.sum())
    assert model.weight.dtype == torch.float32
    moved = (before - model.weight).detach()
    torch.testing.assert_close(
        moved, x.sum(0).expand(2, -1), rtol=0.02, atol=0
    )


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


@pytest.mark.parametrize('gpu', [False, True])
def test_memory_is_kept_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, gpu: bool
) -> None:
    calls: list[None] = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    monkeypatch.setattr(
        device_settings_hook, 'keep_freed_memory', lambda: calls.append(None)
    )
    DeviceSettingsHook().before_run(None)
    assert len(calls) == (not gpu)


@pytest.mark.skipif(
    platform.libc_ver()[0] != 'glibc', reason='the setting is of glibc'
)
@pytest.mark.parametrize(('kept', 'blocks'), [(True, 1), (False, 10)])
def test_freed_memory_is_not_mapped_again(kept: bool, blocks: int) -> None:
    """Pages that ten blocks of 64 MiB in turn fault in, in blocks."""
    code = f"""
import ctypes, platform, resource
{inspect.getsource(device_settings_hook.keep_freed_memory)}
{kept} and keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    b'x' * 2**26
after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print((after - before) * resource.getpagesize() / 2**26)
"""
    found = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(found.stdout) == pytest.approx(blocks, rel=0.1)
