"""Equations (1) and (2) against loops written from the paper's notation."""

import pytest
import torch

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.diffusion import (
    FORMS,
    LocalGlobalDiffusion,
    LowRankProjection,
    pool,
)


def full_rank(p: LowRankProjection) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix and the offset that a low-rank projection stands for."""
    w = p.expand.weight @ p.reduce.weight
    b = p.expand.weight @ p.reduce.bias + p.expand.bias
    return w, b


def matvec(w, b, v):
    """W v + b, entry by entry."""
    return [
        b[i] + sum(w[i, j] * v[j] for j in range(len(v)))
        for i in range(w.shape[0])
    ]


def naive_block(block: LocalGlobalDiffusion, f, g):
    """(1) and (2) with a loop over everything; f (N,C,T,H,W), g (N,C')."""
    n_, c_, t_, h_, w_ = f.shape
    zero = f.new_zeros(())
    xs, gs = [], []
    for n in range(n_):
        if block.form != 'local_to_global':
            shift = matvec(*full_rank(block.global_to_local), g[n])
        x = torch.empty(c_, t_, h_, w_, dtype=f.dtype)
        means = []
        for c in range(c_):
            total = zero
            for t in range(t_):
                for h in range(h_):
                    for w in range(w_):
                        v = f[n, c, t, h, w]
                        if block.form == 'multiplicative':
                            v = v * 2 / (1 + torch.exp(-shift[c]))
                        elif block.form != 'local_to_global':
                            v = v + shift[c]
                        v = torch.maximum(v, zero)
                        x[c, t, h, w] = v
                        total = total + v
            means.append(total / (t_ * h_ * w_))
        new = matvec(*full_rank(block.global_to_global), g[n])
        if block.form != 'global_to_local':
            seen = matvec(*full_rank(block.local_to_global), means)
            new = [a + b for a, b in zip(new, seen, strict=True)]
        xs.append(x)
        gs.append(torch.stack([torch.maximum(v, zero) for v in new]))
    return torch.stack(xs), torch.stack(gs)


def random_block(form, c_in=3, c_out=6, reduction=2):
    block = LocalGlobalDiffusion(c_in, c_out, form, reduction).double()
    for p in block.parameters():
        torch.nn.init.normal_(p)
    return block


@pytest.mark.parametrize('form', FORMS)
def test_block_equals_naive_loops_forward_and_backward(form):
    block = random_block(form)
    f = torch.randn(2, 6, 2, 3, 2, dtype=torch.double, requires_grad=True)
    g = torch.randn(2, 3, 1, 1, 1, dtype=torch.double, requires_grad=True)
    a, b = torch.randn(2, 6, 2, 3, 2).double(), torch.randn(2, 6).double()
    leaves = [f, g, *block.parameters()]

    x, out = block(f, g)
    fast = torch.autograd.grad(
        (x * a).sum() + (out.flatten(1) * b).sum(), leaves
    )
    x_ref, g_ref = naive_block(block, f, g.flatten(1))
    slow = torch.autograd.grad((x_ref * a).sum() + (g_ref * b).sum(), leaves)

    assert out.shape == (2, 6, 1, 1, 1)
    assert (x - x_ref).abs().max() < 1e-10
    assert (out.flatten(1) - g_ref).abs().max() < 1e-10
    for p, q in zip(fast, slow, strict=True):
        assert (p - q).abs().max() < 1e-10


@pytest.mark.parametrize('form', FORMS)
def test_gradients_equal_finite_differences(form):
    block = random_block(form)
    f = torch.randn(1, 6, 2, 2, 2, dtype=torch.double, requires_grad=True)
    g = torch.randn(1, 3, 1, 1, 1, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(block, (f, g))


@pytest.mark.parametrize('form', FORMS)
def test_local_path_is_untouched_at_the_start(form):
    block = LocalGlobalDiffusion(32, 64, form)
    f, g = torch.randn(2, 64, 2, 3, 3), torch.rand(2, 32, 1, 1, 1)
    assert torch.equal(block.diffuse_to_local(f, g), f)
    assert block(f, g)[1].abs().sum() > 0  # and the global path is alive


def test_projection_keeps_the_scale_of_the_signal():
    torch.manual_seed(0)
    ratios = []
    for _ in range(20):
        p = LowRankProjection(512, 1024)
        v = torch.randn(256, 512)
        ratios.append((p(v).pow(2).mean() / v.pow(2).mean()).item())
    assert abs(sum(ratios) / 20 - 1) < 0.1


def test_projection_has_inner_width_c_over_16_and_at_least_1():
    p = LowRankProjection(64, 256)
    assert p.reduce.weight.shape == (16, 64)
    assert p.expand.weight.shape == (256, 16)
    assert LowRankProjection(8, 8).reduce.weight.shape == (1, 8)


def test_pool_is_the_mean_over_positions():
    x = torch.arange(2 * 3 * 8, dtype=torch.double).view(2, 3, 2, 2, 2)
    ref = [[x[n, c].sum().item() / 8 for c in range(3)] for n in range(2)]
    assert pool(x).flatten(1).tolist() == ref


def test_wrong_arguments_are_named():
    with pytest.raises(ConfigError, match="form 'up' is unknown.*'both'"):
        LocalGlobalDiffusion(8, 8, form='up')
    with pytest.raises(ConfigError, match='reduction is 0'):
        LocalGlobalDiffusion(8, 8, reduction=0)
