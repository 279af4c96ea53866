"""tools/data/flow_coding.py: 8 bits, colours, previews."""

import numpy as np

from lgd_tools.videos.flow_coding import (
    colour_flow,
    dequantise,
    preview,
    quantise,
)


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


def test_colours():
    directions = np.array([[[1, 0], [-1, 0], [0, 1], [0, -1]]], float)
    right, left, down, up = colour_flow(directions, 1.0)[0].tolist()
    assert (right, left) == ([255, 0, 0], [0, 255, 255])  # red, cyan
    # green-yellow, violet: angles of 90 and 270 degrees, nearly
    assert np.allclose([down, up], [[128, 255, 0], [128, 0, 255]], atol=2)
    rest, half, beyond = colour_flow(
        np.array([[[0, 0], [1, 0], [9, 0]]], float), 2.0
    )[0].tolist()
    assert (rest, half) == ([255] * 3, [255, 128, 128])
    assert beyond == [255, 0, 0]
    assert colour_flow(np.full((1, 1, 2), np.nan), 1.0).min() == 255


def test_preview_layout():
    frame = np.full((100, 80), 7, np.uint8)
    flow = np.zeros((100, 80, 2), np.float32)
    flow[..., 0] = 3
    picture = preview(frame, flow)
    assert picture.shape == (100, 260, 3) and picture.dtype == np.uint8
    assert (picture[:, :80] == 7).all()
    assert (picture[:, 80:160] == [255, 0, 0]).all()
    wheel = picture[:, 160:]
    assert wheel[49, 49].min() > 240 and wheel[0, 0].min() == 255
    assert wheel[50, -2, 0] == 255 and wheel[50, -2, 1:].max() < 10
