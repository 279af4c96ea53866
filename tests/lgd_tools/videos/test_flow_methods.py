"""What flow every method finds, and how deep the pyramid is."""

import cv2
import numpy as np
import pytest

from lgd_tools.cli import ToolError
from lgd_tools.videos.extract_flow import parse_args
from lgd_tools.videos.flow_methods import (
    METHODS,
    make_method,
    require_method,
    scales_for,
)
from tests.lgd_tools.videos.moving import moving


@pytest.mark.parametrize('name', ['tvl1_fast', 'dis'])
@pytest.mark.parametrize('motion', [(2, -1), (12, -7), (-14, 6)])
def test_known_motion(name, motion):
    """x to the right, y downwards; fast motion is found too."""
    first, second = moving(2, *motion)
    flow = make_method(name, *first.shape)(first, second)
    assert flow.shape == (96, 128, 2) and flow.dtype == np.float32
    error = np.hypot(flow[..., 0] - motion[0], flow[..., 1] - motion[1])
    assert np.median(error) < 0.1


def test_paper_method_finds_fast_motion():
    """TV-L1 as OpenCV ships it misses 12 pixels; the deep pyramid does not."""
    first, second = moving(2, 12, -7, height=64, width=80)
    flow = make_method('tvl1', 64, 80)(first, second)
    assert np.median(np.hypot(flow[..., 0] - 12, flow[..., 1] + 7)) < 0.05


@pytest.mark.parametrize('name', ['dis_fast', 'dis_ultrafast'])
def test_coarse_presets_on_slow_motion(name):
    first, second = moving(2, 5, 3)
    flow = make_method(name, *first.shape)(first, second)
    error = np.hypot(flow[..., 0] - 5, flow[..., 1] - 3)
    assert np.median(error) < 0.3


def test_mirrored_pictures_give_mirrored_flow():
    first, second = moving(2, 6, 2)
    method = make_method('dis', *first.shape)
    plain = method(first, second)
    mirrored = method(first[:, ::-1], second[:, ::-1])[:, ::-1]
    assert abs(np.median(mirrored[..., 0]) + np.median(plain[..., 0])) < 0.05
    assert abs(np.median(mirrored[..., 1]) - np.median(plain[..., 1])) < 0.05


def test_pyramid_depth():
    assert scales_for(14, 100) == 1
    assert scales_for(120, 160) == 10  # 120 * 0.8^9 = 16.1 pixels
    assert scales_for(240, 320) == 13
    assert scales_for(4, 4) == 1


def test_missing_method(monkeypatch):
    monkeypatch.setattr(cv2, 'optflow', None)
    with pytest.raises(ToolError, match='opencv-contrib-python=='):
        require_method('tvl1')
    require_method('dis')  # needs no contrib module


def test_every_method_is_documented(repo_root):
    text = (repo_root / 'docs' / 'flow.md').read_text()
    for name in METHODS:
        assert f'| {name} | ' in text  # a row of measurements
    assert parse_args(['a', 'b']).method == 'tvl1'
