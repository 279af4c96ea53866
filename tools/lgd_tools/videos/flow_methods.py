"""Optical flow methods: what extract_flow can compute.

A flow is an (H, W, 2) float32 array: ``flow[y, x] = (dx, dy)`` in pixels,
where the point at (x, y) of the first frame is at (x + dx, y + dy) in the
second. x grows to the right, y downwards.

TV-L1 is Zach, Pock and Bischof's duality-based method (DAGM 2007), the one
of the two-stream literature, from OpenCV's contrib module ``optflow``. DIS is
Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (ECCV 2016),
from OpenCV's main modules.
"""

import math
from collections.abc import Callable

import numpy as np

from lgd_tools.cli import ToolError

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]

# OpenCV's TV-L1 stops its pyramid after 5 scales of 0.8, that is, at 41 % of
# the size, and then misses motions beyond about 8 pixels altogether. Going
# on until the short side is this many pixels long finds them (docs/flow.md).
COARSEST = 14
SCALE_STEP = 0.8

METHODS = {
    'tvl1': 'TV-L1 with the library iterations: the paper, slowest',
    'tvl1_fast': 'TV-L1 with fewer iterations, about 3 times as fast',
    'dis': 'DIS, preset medium: fast and nearly as exact',
    'dis_fast': 'DIS, preset fast',
    'dis_ultrafast': 'DIS, preset ultrafast: coarsest',
}


def scales_for(height: int, width: int) -> int:
    """Pyramid levels until the short side is about COARSEST pixels."""
    ratio = max(1.0, min(height, width) / COARSEST)
    return 1 + math.floor(math.log(ratio) / -math.log(SCALE_STEP))


def require_method(name: str) -> None:
    """Raise ToolError where the installed OpenCV lacks a method."""
    import cv2

    # opencv-python and opencv-contrib-python own one folder; whichever was
    # installed last decides
    if name.startswith('tvl1') and not hasattr(
        getattr(cv2, 'optflow', None), 'DualTVL1OpticalFlow_create'
    ):
        raise ToolError(
            'this OpenCV lacks TV-L1: pip install --force-reinstall '
            f'--no-deps "opencv-contrib-python=={cv2.__version__}.*", or '
            'use --method dis'
        )


def make_method(name: str, height: int, width: int) -> Method:
    """The function (gray uint8 first, second) -> flow of frames of a size."""
    import cv2

    cv2.setNumThreads(1)  # the processes are the parallelism
    if name.startswith('dis'):
        preset = name.removeprefix('dis').strip('_') or 'medium'
        preset = getattr(cv2, f'DISOPTICAL_FLOW_PRESET_{preset.upper()}')
        method = cv2.DISOpticalFlow_create(preset)
    else:
        method = cv2.optflow.DualTVL1OpticalFlow_create()
        method.setScaleStep(SCALE_STEP)
        method.setScalesNumber(scales_for(height, width))
        if name == 'tvl1_fast':
            method.setWarpingsNumber(3)
            method.setOuterIterations(5)
            method.setInnerIterations(15)
            method.setEpsilon(0.02)

    def calc(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        # DIS refuses rows with padding
        return method.calc(
            np.ascontiguousarray(first), np.ascontiguousarray(second), None
        )

    return calc
