"""Errors of bf16 gradients of the convolutions in our networks, as JSON.

A program of its own: oneDNN reads ONEDNN_MAX_CPU_ISA once, at its start.
"""

import json

import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from torch import nn

import lgd_mmaction  # noqa: F401
from lgd_mmaction.models.pseudo3d import (
    Pseudo3DConv,
    SpatialConv,
    TemporalConv,
)

STRIDES = dict(inflate_style='3x3x3', temporal_strides=(1, 2, 2, 2))
NETWORKS = [
    dict(depth=depth, conv1_kernel=(1, 7, 7), **kind)
    for depth in (18, 50, 101)
    for kind in (
        dict(inflate=(0, 0, 0, 0)),
        *[dict(pseudo3d=p, **STRIDES) for p in 'ABC'],
    )
]


def error(conv: nn.Module, x: torch.Tensor) -> float:
    """The largest error of a gradient, by its largest entry."""
    grads = []
    for dtype in (torch.float64, torch.bfloat16):
        conv.to(dtype)
        a = x.to(dtype).requires_grad_()
        y = conv(a)
        up = torch.linspace(-1, 1, y.numel()).view_as(y).bfloat16()
        grads.append(
            torch.autograd.grad(y, [a, *conv.parameters()], up.to(dtype))
        )
    return max(
        float((q.double() - p).abs().max() / p.abs().max())
        for p, q in zip(*grads, strict=True)
    )


def shapes() -> dict:
    """One convolution for each geometry, a width of at most 32."""
    found = {}
    for kwargs in NETWORKS:
        with torch.device('meta'):
            net = MODELS.build(dict(type='LGDResNet3d', **kwargs))
        for m in net.modules():
            if isinstance(m, SpatialConv | TemporalConv):
                continue  # the factors of a Pseudo3DConv
            if isinstance(m, Pseudo3DConv | nn.Conv3d):
                width = [min(c, 32) for c in (m.in_channels, m.out_channels)]
                kind = getattr(m, 'kind', None)
                key = (*width, m.kernel_size, m.stride, m.padding, kind)
                found[key] = m
    return found


if __name__ == '__main__':
    torch.set_num_threads(1)
    torch.manual_seed(0)
    init_default_scope('mmaction')
    errors = {}
    for key in shapes():
        c_in, c_out, kernel, stride, padding, kind = key
        args = (c_in, c_out, kernel, stride, padding)
        for frames in (*range(1, 9), 16):
            if kind is None:
                conv = nn.Conv3d(*args, bias=False)
            else:
                conv = Pseudo3DConv(*args, kind=kind)
                nn.init.normal_(conv.temporal.weight, std=0.1)
            conv.bfloat16()  # weights that both precisions can hold
            x = torch.randn(2, c_in, frames, 5, 4).bfloat16()
            for layout in (torch.contiguous_format, torch.channels_last_3d):
                e = error(conv, x.to(memory_format=layout))
                errors[f'{key} T={frames} {layout}'] = e
    print(json.dumps(errors))
