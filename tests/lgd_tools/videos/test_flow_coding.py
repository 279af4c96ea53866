"""tools/data/flow_coding.py: 8 bits, colours, previews."""

import numpy as np

from lgd_tools.videos.flow_coding import (
    colour_flow,
    colour_wheel,
    dequantise,
    legend,
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


def test_colour_wheel():
    wheel = colour_wheel()
    assert wheel.shape == (55, 3)
    assert wheel[0].tolist() == [255, 0, 0]
    assert wheel[15].tolist() == [255, 255, 0]
    assert wheel[25].tolist() == [0, 255, 255]
    directions = np.array([[[1, 0], [-1, 0], [0, 1], [0, -1]]], float)
    right, left, down, up = colour_flow(directions, 1.0)[0].astype(int)
    assert right[0] == 255 and right[1] == 0  # red
    assert left[0] == 0 and left[2] == 255  # cyan
    assert down[0] > 230 and down[1] > 200 and down[2] == 0  # yellow
    assert up[2] == 255 and up[1] < 20  # blue to violet
    rest = colour_flow(np.zeros((1, 1, 2)), 1.0)
    assert rest.ravel().tolist() == [255, 255, 255]


def test_preview_layout():
    frame = np.full((100, 80, 3), 7, np.uint8)
    flow = np.zeros((100, 80, 2), np.float32)
    flow[..., 0] = 3
    picture = preview(frame, flow)
    assert picture.shape[0] == 100 and picture.dtype == np.uint8
    assert (picture[:, :80] == 7).all()
    flow_part = picture[:, 84:164]
    assert (flow_part == flow_part[0, 0]).all()
    assert flow_part[0, 0].tolist() == [255, 0, 0]
    assert legend(51)[25, 25].min() > 240  # white middle
