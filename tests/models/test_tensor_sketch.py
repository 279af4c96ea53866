"""phi of equation (4) against its definition, in numbers."""

import math

import pytest
import torch
from torch import Tensor

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.tensor_sketch import TensorSketch

# h1, h2 and s1, s2 of TensorSketch(4, 100, seed=0)
GOLDEN_INDEX = [[44, 39, 33, 60], [63, 79, 27, 3]]
GOLDEN_SIGN = [[1, 1, 1, -1], [-1, 1, -1, -1]]


def naive_phi(sketch: TensorSketch, v: Tensor) -> Tensor:
    """The quadratic form written out: one vector (C,) -> (D,)."""
    h, s = sketch.index.tolist(), sketch.sign.tolist()
    out = torch.zeros(sketch.sketch_dim, dtype=v.dtype)
    for a in range(len(v)):
        for b in range(len(v)):
            d = (h[0][a] + h[1][b]) % sketch.sketch_dim
            out[d] += s[0][a] * s[1][b] * v[a] * v[b]
    return out


@pytest.mark.parametrize('dim', [1, 2, 16, 37])
def test_equals_the_quadratic_form(dim: int) -> None:
    sketch = TensorSketch(11, dim, seed=3)
    x = torch.randn(3, 11, dtype=torch.float64)
    expected = torch.stack([naive_phi(sketch, v) for v in x])
    assert (sketch(x) - expected).abs().max() < 1e-10


def test_pooled_in_frequency_equals_pooled_after() -> None:
    sketch = TensorSketch(7, 32)
    x = torch.randn(2, 7, 2, 3, 4, dtype=torch.float64)
    after = torch.stack(
        [
            torch.stack([naive_phi(sketch, v) for v in sample]).mean(0)
            for sample in x.flatten(2).transpose(1, 2)
        ]
    )
    assert (sketch(x) - after).abs().max() < 1e-10


@pytest.mark.parametrize('dim', [16, 64])
def test_kernel_is_unbiased(dim: int) -> None:
    # over M draws of the hashes the mean of <phi(u), phi(v)> lies within
    # 4 of its standard errors of <u, v>^2
    torch.manual_seed(1)
    u, v = torch.randn(2, 12, dtype=torch.float64)
    values = kernel_values(u, v, dim, range(1000))
    error = values.mean() - (u @ v) ** 2
    assert error.abs() < 4 * values.std() / math.sqrt(len(values))


def test_error_falls_as_one_over_sqrt_of_the_length() -> None:
    torch.manual_seed(2)
    u, v = torch.randn(2, 16, dtype=torch.float64)
    exact = (u @ v) ** 2
    dims = [32, 128, 512, 2048]
    rms = [
        (kernel_values(u, v, d, range(300)) - exact).square().mean().sqrt()
        for d in dims
    ]
    x = torch.tensor(dims, dtype=torch.float64).log()
    y = torch.stack(rms).log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).pow(
        2
    ).sum()
    assert slope.item() == pytest.approx(-0.5, abs=0.08)


def kernel_values(u: Tensor, v: Tensor, dim: int, seeds: range) -> Tensor:
    pair = torch.stack([u, v])
    values = []
    for seed in seeds:
        phi = TensorSketch(len(u), dim, seed)(pair)
        values.append(phi[0] @ phi[1])
    return torch.stack(values)


@pytest.mark.parametrize('chunk', [1, 3, 4, 10, 1000])
def test_chunks_change_neither_values_nor_gradients(chunk: int) -> None:
    x = torch.randn(4, 6, 3, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 32, dtype=torch.float64)
    results = []
    for size in (10**6, chunk):
        y = TensorSketch(6, 32, chunk=size)(x)
        (grad,) = torch.autograd.grad((y * weight).sum(), x)
        results.append((y.detach(), grad))
    for one, other in zip(*results, strict=True):
        assert (one - other).abs().max() < 1e-12


def test_chunks_bound_what_is_kept_for_the_backward_pass() -> None:
    kept = []

    def count(t: Tensor) -> Tensor:
        kept.append(t.numel() * t.element_size())
        return t

    x = torch.randn(2, 8, 50, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
        TensorSketch(8, 4096, chunk=10)(x)
    # one spectrum per position would be 2 * 50 * 2049 * 8 bytes = 1.6 MB,
    # twice; the hooks inside of checkpoint see nothing of them
    assert sum(kept) < 100_000


@pytest.mark.parametrize('chunk', [2, 1000])
def test_gradients(chunk: int) -> None:
    sketch = TensorSketch(5, 8, chunk=chunk)
    x = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(sketch, (x,))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_float32_under_autocast(dtype: torch.dtype) -> None:
    sketch = TensorSketch(64, 256)
    # products of these overflow float16
    x = (1000 * torch.randn(2, 64, 3)).requires_grad_()
    with torch.autocast('cpu', dtype=dtype):
        y = sketch(x)
        half = sketch(x.to(dtype))
    y.mean().backward()
    assert y.dtype == half.dtype == torch.float32
    assert torch.equal(y, sketch(x))
    assert half.isfinite().all() and x.grad.isfinite().all()
    assert torch.equal(half, sketch(x.to(dtype).float()))


def test_hashes_are_seeded_and_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    a, b, c = (TensorSketch(9, 33, seed) for seed in (5, 5, 6))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(a.index, b.index) and torch.equal(a.sign, b.sign)
    assert not torch.equal(a.index, c.index)
    # a checkpoint made elsewhere must mean the same hashes
    assert TensorSketch(4, 100, 0).index.tolist() == GOLDEN_INDEX
    assert TensorSketch(4, 100, 0).sign.tolist() == GOLDEN_SIGN


def test_hashes_are_spread_evenly() -> None:
    sketch = TensorSketch(20_000, 10)
    for h, s in zip(sketch.index, sketch.sign, strict=True):
        # expected 2000 +- 42 per entry, sum of signs 0 +- 141
        assert (h.bincount(minlength=10) - 2000).abs().max() < 5 * 42
        assert set(s.unique().tolist()) == {-1, 1}
        assert abs(s.sum(dtype=torch.int64).item()) < 5 * 141
    assert not torch.equal(*sketch.index)


def test_state_dict_round_trip() -> None:
    a, b = TensorSketch(6, 16, seed=1), TensorSketch(6, 16, seed=2)
    x = torch.randn(2, 6)
    assert not torch.equal(a(x), b(x))
    b.load_state_dict(a.state_dict())
    assert torch.equal(a(x), b(x))
    half = TensorSketch(6, 16, seed=1).half()
    assert torch.equal(half(x), a(x))


@pytest.mark.parametrize('other', [8, 32])
def test_hashes_of_another_length_are_refused(other: int) -> None:
    a, b = TensorSketch(6, other, seed=1), TensorSketch(6, 16, seed=2)
    before = b.index.clone()
    with pytest.raises(RuntimeError, match=f'sketch_dim={other}.*=16'):
        b.load_state_dict(a.state_dict())
    assert torch.equal(b.index, before)


def test_wrong_arguments() -> None:
    for kwargs in ({'in_channels': 0}, {'sketch_dim': 0}, {'chunk': 0}):
        with pytest.raises(ConfigError, match=f'{next(iter(kwargs))}.* is 0'):
            TensorSketch(**{'in_channels': 4, **kwargs})
    with pytest.raises(ConfigError, match='4 channels.*shape \\(2, 5\\)'):
        TensorSketch(4)(torch.zeros(2, 5))
