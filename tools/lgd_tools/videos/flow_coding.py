"""How a flow is stored in 8 bits, and how it is shown in colour.

Storing is the convention of the two-stream literature (dense_flow, TSN):

    q = round((clip(v, -b, b) + b) * 255 / (2 b)),   b = 20 pixels
    v = q * 2 b / 255 - b

One step is 2 b / 255 = 0.157 pixels, so the error of a flow within the bound
is at most 0.078 pixels. Zero is stored as 128 (127.5, rounded to even) and
read as +0.078. Mirroring a flow-x picture by ``255 - q``, as mmaction2's Flip
does, is the exact negation of v.
"""

import numpy as np

BOUND = 20.0


def quantise(flow: np.ndarray, bound: float = BOUND) -> np.ndarray:
    """Pixels -> uint8; see the formula above. Half steps go to even.

    Args:
        flow: Motion in pixels, any shape; NaN becomes rest.
        bound: Faster motion is clipped to it.
    """
    flow = np.nan_to_num(flow.astype(np.float64), posinf=bound, neginf=-bound)
    clipped = np.clip(flow, -bound, bound)
    return np.rint((clipped + bound) * (255 / (2 * bound))).astype(np.uint8)


def dequantise(stored: np.ndarray, bound: float = BOUND) -> np.ndarray:
    """uint8 -> pixels (float32), the inverse of :func:`quantise`."""
    step = 2 * bound / 255
    return (stored.astype(np.float64) * step - bound).astype(np.float32)


def colour_flow(flow: np.ndarray, top: float) -> np.ndarray:
    """Colour-code a flow: the hue is the direction, the saturation the speed.

    Args:
        flow: (H, W, 2) in pixels, x to the right, y downwards.
        top: Speed in pixels of full colour.

    Returns:
        (H, W, 3) uint8 RGB: right is red, down green-yellow, left cyan, up
        violet; white is rest.
    """
    import cv2

    x, y = np.moveaxis(np.nan_to_num(flow).astype(np.float32), -1, 0)
    speed, degrees = cv2.cartToPolar(x, y, angleInDegrees=True)
    saturation = np.minimum(speed / top, 1)
    hsv = np.stack([degrees, saturation, np.ones_like(speed)], axis=-1)
    return np.rint(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)).astype(np.uint8)


def preview(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Frame, coloured flow and colour wheel side by side.

    Full colour, the rim of the wheel, is the 99th percentile of the speed,
    at least 1 pixel.

    Args:
        frame: (H, W) uint8, grey.
        flow: (H, W, 2) pixels.

    Returns:
        (H, 2W + H, 3) uint8 RGB.
    """
    speed = np.hypot(flow[..., 0], flow[..., 1])
    top = max(1.0, float(np.percentile(speed, 99)))
    axis = np.linspace(-1, 1, len(frame))
    wheel = np.stack(np.meshgrid(axis, axis), axis=-1)
    wheel[np.hypot(wheel[..., 0], wheel[..., 1]) > 1] = 0
    grey = np.repeat(frame[..., None], 3, axis=-1)
    return np.hstack([grey, colour_flow(flow, top), colour_flow(wheel, 1.0)])
