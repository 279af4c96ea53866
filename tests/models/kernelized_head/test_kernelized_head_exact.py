"""Losses (5) and (6) and their gradients against loops, in float64."""

import math

import pytest
import torch
from mmaction.structures import ActionDataSample
from torch import Tensor

from lgd_mmaction.models.kernelized_head import KernelizedHead

N, C, K, D = 2, 5, 3, 16
LABELS = [2, 0]


def naive_phi(v: Tensor, h: list, s: list) -> Tensor:
    """phi(v) by its definition: all pairs of channels."""
    out = [v.new_zeros(()) for _ in range(D)]
    for a in range(C):
        for b in range(C):
            d = (h[0][a] + h[1][b]) % D
            out[d] = out[d] + s[0][a] * s[1][b] * v[a] * v[b]
    return torch.stack(out)


def naive_cross_entropy(w: Tensor, b: Tensor, v: Tensor, label: int) -> Tensor:
    z = [sum(w[k, i] * v[i] for i in range(len(v))) + b[k] for k in range(K)]
    return torch.log(sum(torch.exp(e) for e in z)) - z[label]


def naive_losses(head: KernelizedHead, x: Tensor, g: Tensor) -> Tensor:
    """Loss (5) in stage 1, loss (6) in stage 2, sample by sample."""
    h, s = head.sketch.index.tolist(), head.sketch.sign.tolist()
    total = x.new_zeros(())
    for n, label in enumerate(LABELS):
        positions = x[n].reshape(C, -1).unbind(1)
        glob = g[n].reshape(C)
        if head.active_stage == 1:
            mean = sum(positions) / len(positions)
            parts = ((head.fc_local, mean), (head.fc_global, glob))
        else:
            phi_x = sum(naive_phi(p, h, s) for p in positions)
            phi = torch.cat([phi_x / len(positions), naive_phi(glob, h, s)])
            parts = ((head.fc_sketch, phi),)
        for fc, v in parts:
            total = total + naive_cross_entropy(fc.weight, fc.bias, v, label)
    return total / N


@pytest.mark.parametrize('stage', [1, 2])
def test_loss_and_gradients_equal_loops(stage: int) -> None:
    head = KernelizedHead(
        K, C, sketch_dim=D, sketch_scale=1, dropout_ratio=0, stage=stage
    ).double()
    for p in head.parameters():
        torch.nn.init.normal_(p, std=0.5)
    x = torch.randn(N, C, 2, 1, 2, dtype=torch.double, requires_grad=True)
    g = torch.randn(N, C, 1, 1, 1, dtype=torch.double, requires_grad=True)
    samples = [ActionDataSample().set_gt_label(y) for y in LABELS]
    losses = head.loss((x, g), samples)
    fast = sum(v for k, v in losses.items() if 'loss' in k)
    slow = naive_losses(head, x, g)
    assert math.isfinite(slow.item()) and slow.item() > 0.1
    assert abs(fast.item() - slow.item()) < 1e-10
    used = [
        p
        for name, p in head.named_parameters()
        if name.startswith('fc_sketch') == (stage == 2)
    ]
    leaves = [x, g, *used]
    for a, b in zip(
        torch.autograd.grad(fast, leaves),
        torch.autograd.grad(slow, leaves),
        strict=True,
    ):
        assert b.abs().max() > 1e-6
        assert (a - b).abs().max() < 1e-10
