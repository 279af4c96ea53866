"""SyncBatchNorm on the CPU: torch has its kernels for accelerators only.

Everything else is torch's: which statistics are exchanged, when, how they are
weighted and how the gradient goes back. The five kernels are their formulas.
"""

import pytest
import torch
from torch import Tensor


def _axes(x: Tensor) -> list[int]:
    return [d for d in range(x.dim()) if d != 1]


def _wide(v: Tensor, x: Tensor) -> Tensor:
    """(C,) as (1, C, 1, ...)."""
    return v.view(1, -1, *[1] * (x.dim() - 2))


def stats(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Mean and 1 / standard deviation of each channel."""
    var, mean = torch.var_mean(x, _axes(x), correction=0)
    return mean, (var + eps).rsqrt()


def gather_stats(
    x: Tensor,
    means: Tensor,
    invstds: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    momentum: float,
    eps: float,
    counts: Tensor,
) -> tuple[Tensor, Tensor]:
    """Those of all ranks' (R, C) together; moves the running averages."""
    n = counts.sum()
    share = (counts / n)[:, None]
    mean = (share * means).sum(0)
    var = (share * (invstds**-2 - eps + (means - mean) ** 2)).sum(0)
    if running_mean is not None:
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(var * n / (n - 1), momentum)
    return mean, (var + eps).rsqrt()


def elemt(
    x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, invstd: Tensor,
    eps: float,
) -> Tensor:  # fmt: skip
    """Normalised, scaled and shifted."""
    scale = weight * invstd
    return (x - _wide(mean, x)) * _wide(scale, x) + _wide(bias, x)


def backward_reduce(
    dy: Tensor, x: Tensor, mean: Tensor, invstd: Tensor, *_: object
) -> tuple[Tensor, ...]:
    """Sums over this rank, and the gradients of weight and bias."""
    sum_dy = dy.sum(_axes(x))
    sum_dy_xmu = (dy * (x - _wide(mean, x))).sum(_axes(x))
    return sum_dy, sum_dy_xmu, sum_dy_xmu * invstd, sum_dy


def backward_elemt(
    dy: Tensor, x: Tensor, mean: Tensor, invstd: Tensor, weight: Tensor,
    sum_dy: Tensor, sum_dy_xmu: Tensor, counts: Tensor,
) -> Tensor:  # fmt: skip
    """The gradient of the input from the sums of all ranks."""
    n = counts.sum()
    centred = x - _wide(mean, x)
    dx = dy - _wide(sum_dy / n, x)
    dx = dx - centred * _wide(sum_dy_xmu / n * invstd**2, x)
    return dx * _wide(weight * invstd, x)


def allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch.nn.SyncBatchNorm train on the CPU."""
    real = torch.nn.SyncBatchNorm.forward

    def forward(self: torch.nn.SyncBatchNorm, x: Tensor) -> Tensor:
        # it asks for CUDA, XPU or whatever this is
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                torch._C, '_get_privateuse1_backend_name', lambda: 'cpu'
            )
            return real(self, x)

    monkeypatch.setattr(torch.nn.SyncBatchNorm, 'forward', forward)
    monkeypatch.setattr(
        torch.nn.parallel.DistributedDataParallel,
        '_passing_sync_batchnorm_handle',
        lambda self, module: None,  # only the same question
    )
    for name, kernel in {
        'batch_norm_stats': stats,
        'batch_norm_gather_stats_with_counts': gather_stats,
        'batch_norm_elemt': elemt,
        'batch_norm_backward_reduce': backward_reduce,
        'batch_norm_backward_elemt': backward_elemt,
    }.items():
        monkeypatch.setattr(torch, name, kernel)
