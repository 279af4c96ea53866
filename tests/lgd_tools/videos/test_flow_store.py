"""Flow in 8 bits."""

import numpy as np

from lgd_tools.videos.flow_store import quantise
from tests.lgd_tools.videos.moving import dequantise


def test_quantise_formula():
    values = np.array([-25, -20, -0.01, 0, 0.2, 10, 20, 99, np.nan, np.inf])
    stored = quantise(values)
    # round((v + 20) * 255 / 40), half to even
    expected = [0, 0, 127, 128, 129, 191, 255, 255, 128, 255]
    assert stored.tolist() == expected and stored.dtype == np.uint8
    assert quantise(np.array([5.0]), bound=5).item() == 255


def test_quantise_error_and_inverse():
    values = np.linspace(-20, 20, 4001)
    back = dequantise(quantise(values))
    assert np.abs(back - values).max() <= 20 / 255 + 1e-6  # half a step
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(quantise(dequantise(every)), every)


def test_inverting_is_negating():
    """255 - q, what mmcv.iminvert in the stock Flip does, is -v."""
    every = np.arange(256, dtype=np.uint8)
    assert np.allclose(dequantise(255 - every), -dequantise(every), atol=1e-5)
