"""Pseudo3DConv against one dense 3D kernel, and its identity start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.lgd_resnet3d import LGDResNet3d
from lgd_mmaction.models.pseudo3d import KINDS, Pseudo3DConv
from tests.warm import PYTHON


def make(kind, stride=(1, 1, 1), groups=1, c_in=4, c_out=6):
    return Pseudo3DConv(
        c_in,
        c_out,
        (3, 3, 3),
        stride=stride,
        padding=(1, 1, 1),
        groups=groups,
        kind=kind,
    ).double()


def dense_kernel(conv):
    """The one 3 x 3 x 3 kernel that the factors compute together.

    Exact only away from the borders in time: there S before T sees no
    padding, which holds for bias-free factors.
    """
    s, t = conv.spatial.weight, conv.temporal.weight
    here = torch.zeros(3, dtype=s.dtype)
    here[1] = 1
    if conv.kind == 'B':
        middle = torch.zeros(3, 3, dtype=s.dtype)
        middle[1, 1] = 1
        return s * here.view(1, 1, 3, 1, 1) + t * middle
    serial = torch.einsum('omt,mihw->oithw', t[..., 0, 0], s[:, :, 0])
    if conv.kind == 'A':
        return serial
    return serial + s * here.view(1, 1, 3, 1, 1)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('stride', [(1, 1, 1), (2, 2, 2), (1, 2, 2)])
@pytest.mark.parametrize('frames', [5, 8])
def test_equals_the_dense_kernel_it_factorises(kind, stride, frames):
    conv = make(kind, stride)
    torch.nn.init.normal_(conv.temporal.weight)
    x = torch.randn(2, 4, frames, 7, 6, dtype=torch.double)
    ref = F.conv3d(x, dense_kernel(conv), stride=stride, padding=1)
    out = conv(x)
    assert out.shape == ref.shape
    assert (out - ref).abs().max() < 1e-12


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('groups', [1, 2])
@pytest.mark.parametrize('step', [1, 2, 4])
def test_starts_as_its_2d_convolution_on_the_kept_frames(kind, groups, step):
    conv = make(kind, (step, 2, 2), groups)
    x = torch.randn(1, 4, 8, 9, 9, dtype=torch.double)
    w = conv.spatial.weight[:, :, 0]
    ref = [
        F.conv2d(x[:, :, t], w, stride=2, padding=1, groups=groups)
        for t in range(0, 8, step)
    ]
    assert (conv(x) - torch.stack(ref, 2)).abs().max() < 1e-12


@pytest.mark.parametrize('kind', KINDS)
def test_temporal_factor_learns_from_its_start(kind):
    conv = make(kind)
    conv(torch.randn(1, 4, 4, 5, 5).double()).square().sum().backward()
    assert conv.temporal.weight.grad.abs().min() > 0


def test_wrong_arguments_are_named():
    with pytest.raises(ConfigError, match="kind 'D' is unknown: use A, B, C"):
        make('D')
    with pytest.raises(ConfigError, match='temporal kernel.*is 2.*odd'):
        Pseudo3DConv(4, 4, (2, 3, 3))


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('stride', [(1, 1, 1), (2, 2, 2), (1, 2, 2)])
@pytest.mark.parametrize('groups, dilation', [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize(
    'layout', [torch.contiguous_format, torch.channels_last_3d]
)
def test_2d_convolutions_on_views_equal_the_3d_ones(
    kind, stride, groups, dilation, layout
):
    conv = Pseudo3DConv(
        4, 6, 3, stride, dilation, dilation, groups, bias=True, kind=kind
    )
    for p in conv.parameters():
        torch.nn.init.normal_(p, std=0.3)
    conv.to(memory_format=layout)
    x = torch.randn(2, 4, 5, 7, 6).to(memory_format=layout)

    def dense(m, v):
        return F.conv3d(
            v, m.weight, m.bias, m.stride, m.padding, m.dilation, m.groups
        )

    s = dense(conv.spatial, x)
    if kind == 'A':
        ref = dense(conv.temporal, s)
    elif kind == 'B':
        ref = s + dense(conv.temporal, x)
    else:
        ref = s[:, :, :: stride[0]] + dense(conv.temporal, s)
    out = conv(x)
    assert (out - ref).abs().max() < 1e-6 * max(1, ref.abs().max())
    if layout == torch.channels_last_3d:
        assert out.is_contiguous(memory_format=layout)


@pytest.mark.slow
def test_bf16_gradients_are_right_on_every_x86_processor():
    """As one without AMX, where stock (3, 1, 1) kernels are wrong."""
    program = Path(__file__).with_name('bf16_gradients.py')
    for isa in ('DEFAULT', 'AVX512_CORE_BF16'):
        run = subprocess.run(
            # only what is not the default is read at its start
            [PYTHON if isa == 'DEFAULT' else sys.executable, program],
            env=dict(os.environ, ONEDNN_MAX_CPU_ISA=isa),
            capture_output=True,
            text=True,
            check=True,
        )
        errors = json.loads(run.stdout.splitlines()[-1])
        assert len(errors) > 200
        wrong = [k for k, e in errors.items() if not e < 0.03]
        assert wrong == [], isa


@pytest.mark.parametrize('activation', [True, False])
def test_kind_c_in_a_network_has_norm_and_relu_between_its_factors(activation):
    net = LGDResNet3d(depth=18, base_channels=4, pseudo3d='C')
    unit = net.layer2[0]
    module = unit.conv1 if activation else unit.conv2
    torch.nn.init.normal_(module.conv.temporal.weight)
    s, t = module.conv.spatial, module.conv.temporal
    x = torch.randn(2, s.in_channels, 5, 6, 6)
    y = F.conv3d(x, s.weight, None, s.stride, s.padding)
    mean = y.mean((0, 2, 3, 4), keepdim=True)
    y = (y - mean) / (y.var((0, 2, 3, 4), False, keepdim=True) + 1e-5).sqrt()
    z = F.conv3d(y.clamp(min=0), t.weight, None, t.stride, t.padding)
    y = y[:, :, :: t.stride[0]]
    ref = (y.clamp(min=0) + z).clamp(min=0) if activation else y + z
    torch.testing.assert_close(module.train()(x), ref, rtol=1e-4, atol=1e-5)
    with_key = [k for k in module.state_dict() if k.endswith('weight')]
    assert with_key == [
        'conv.spatial.weight',
        'conv.temporal.weight',
        'bn.weight',
    ]
