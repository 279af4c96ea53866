"""What depends on the device: bf16, cuDNN's search, a CPU's memory."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn


class BFloat16OptimWrapper(OptimWrapper):
    """Autocasts the forward pass to bfloat16; the weights stay float32."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        device = next(model.parameters()).device.type
        with (
            super().optim_context(model),
            torch.autocast(device, torch.bfloat16),
        ):
            yield


@HOOKS.register_module()
class DeviceSettingsHook(Hook):
    """Chooses precision and algorithms by the device.

    - cuDNN searches for the fastest algorithm in training, where every clip
      has one size, and not in validation and testing, where every video may
      have its own. This replaces ``env_cfg.cudnn_benchmark``.
    - On a machine without a GPU, freed memory stays with the process
      (:func:`keep_freed_memory`).
    - A warning of convolutions whose bfloat16 gradients this processor
      computes wrongly (:func:`wrong_in_bf16`).

    TensorFloat-32 stays as torch has it: on in cuDNN's convolutions, off in
    matrix products. Validation and tests are float32.

    Args:
        bf16: Train in bfloat16 autocast on a GPU that computes it, unless
            ``--amp`` or the config asks for something else.
    """

    def __init__(self, bf16: bool = False) -> None:
        self.bf16 = bf16

    def before_run(self, runner: Runner) -> None:
        if not torch.cuda.is_available():
            keep_freed_memory()

    def before_train(self, runner: Runner) -> None:
        # a config cannot: the stock --amp takes only the stock wrappers
        if (
            self.bf16
            and type(runner.optim_wrapper) is OptimWrapper
            and torch.cuda.is_available()
            and torch.cuda.is_bf16_supported(including_emulation=False)
        ):
            runner.optim_wrapper.__class__ = BFloat16OptimWrapper
            runner.logger.info('training in bfloat16 autocast')
        names = wrong_in_bf16(runner.model)
        if names:
            runner.logger.warning(
                f'{names[0]} and {len(names) - 1} more are nn.Conv3d with a '
                'kernel kt x 1 x 1: in bfloat16 this processor (AVX-512 '
                'without AMX) computes a wrong weight gradient for 2 frames. '
                "Train in float32, or set backbone.pseudo3d='A' with "
                "inflate_style='3x3x3', which has no such layer."
            )

    def before_train_epoch(self, runner: Runner, metrics: Any = None) -> None:
        torch.backends.cudnn.benchmark = True

    after_val_epoch = before_train_epoch  # it may stand within an epoch

    def before_val_epoch(self, runner: Runner) -> None:
        torch.backends.cudnn.benchmark = False

    before_test_epoch = before_val_epoch


def keep_freed_memory() -> None:
    """Have glibc keep large freed blocks for the next tensor: mallopt(3).

    It maps each block above 32 MiB anew, and the page faults took a fifth of
    the step of an LGD-3D ResNet-50 (docs/results.md).
    """
    if platform.libc_ver()[0] == 'glibc':
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX: never
        libc.mallopt(-1, -1)  # M_TRIM_THRESHOLD: never


def wrong_in_bf16(model: nn.Module) -> list[str]:
    """Names of the layers whose bf16 weight gradient is wrong on this CPU.

    These are stock Conv3d of kernel kt x 1 x 1, kt > 1, on an x86 processor
    with AVX-512 and without AMX (torch 2.13, oneDNN 3.12; seen for 2 frames).
    """
    if (
        not torch.backends.cpu.get_cpu_capability().startswith('AVX512')
        or torch.cpu._is_amx_tile_supported()
    ):
        return []
    autocast = (
        torch.is_autocast_enabled('cpu')
        and torch.get_autocast_dtype('cpu') == torch.bfloat16
    )
    return [
        name
        for name, m in model.named_modules()
        if type(m) is nn.Conv3d
        and m.kernel_size[0] > 1
        and m.kernel_size[1:] == (1, 1)
        and m.weight.device.type == 'cpu'
        and (autocast or m.weight.dtype == torch.bfloat16)
    ]
