"""The sketch without FFT equals the one with it."""

import pytest
import torch

from lgd_mmaction.models.matmul_sketch import MatmulSketch
from lgd_mmaction.models.tensor_sketch import TensorSketch


@pytest.mark.parametrize('dim', [1, 2, 12, 37, 8192])
@pytest.mark.parametrize('channels', [1, 11, 256])
def test_equals_the_fft(dim: int, channels: int) -> None:
    sketch = TensorSketch(channels, dim, seed=3)
    for shape in ((3, channels), (2, channels, 2, 3, 1)):
        x = torch.randn(shape)
        expected = sketch(x)
        error = (MatmulSketch(sketch)(x) - expected).abs().max()
        assert error < 1e-5 * expected.abs().max()


def test_no_limit_equals_chunks() -> None:
    x = torch.randn(5, 6, 3, 4, dtype=torch.float64)
    whole = TensorSketch(6, 32, chunk=None)(x)
    assert (TensorSketch(6, 32, chunk=4)(x) - whole).abs().max() < 1e-12
