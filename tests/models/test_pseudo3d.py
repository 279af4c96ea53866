"""Pseudo3DConv against one dense 3D kernel, and its identity start."""

import pytest
import torch
import torch.nn.functional as F

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.pseudo3d import KINDS, Pseudo3DConv


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
