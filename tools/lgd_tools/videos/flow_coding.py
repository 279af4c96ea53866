"""How a flow is stored in 8 bits, and how it is shown in colour.

Storing is the convention of the two-stream literature (dense_flow, TSN):

    q = round((clip(v, -b, b) + b) * 255 / (2 b)),   b = 20 pixels
    v = q * 2 b / 255 - b

One step is 2 b / 255 = 0.157 pixels, so the error of a flow within the bound
is at most 0.078 pixels. Zero is stored as 128 (127.5, rounded to even) and
read as +0.078. Mirroring a flow-x picture by ``255 - q``, as mmaction2's Flip
does, is the exact negation of v.

Showing is the colour wheel of the Middlebury benchmark (Baker et al., "A
Database and Evaluation Methodology for Optical Flow", IJCV 2011): hue is the
direction, saturation the speed, white is rest.
"""

import numpy as np

BOUND = 20.0
# steps from red to yellow, green, cyan, blue, magenta and back to red
_WHEEL_STEPS = (15, 6, 4, 11, 13, 6)
_WHEEL_CORNERS = np.array(
    [
        [255, 0, 0],
        [255, 255, 0],
        [0, 255, 0],
        [0, 255, 255],
        [0, 0, 255],
        [255, 0, 255],
        [255, 0, 0],
    ],
    dtype=np.float64,
)


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


def colour_wheel() -> np.ndarray:
    """(55, 3) RGB colours of the Middlebury wheel, 0..255."""
    parts = []
    for i, steps in enumerate(_WHEEL_STEPS):
        part = np.arange(steps)[:, None] / steps
        start, end = _WHEEL_CORNERS[i : i + 2]
        parts.append(np.floor(start + part * (end - start) + 1e-9))
    return np.concatenate(parts)


def colour_flow(flow: np.ndarray, top: float | None = None) -> np.ndarray:
    """Colour-code a flow.

    Args:
        flow: (H, W, 2) in pixels, x to the right, y downwards.
        top: Speed in pixels of full colour; None: the largest in it.
            What is faster is drawn darker.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    flow = np.nan_to_num(flow.astype(np.float64))
    speed = np.hypot(flow[..., 0], flow[..., 1])
    if top is None:
        top = float(speed.max())
    radius = speed / max(top, 1e-9)
    # the benchmark's angle: right is red
    angle = np.arctan2(-flow[..., 1], -flow[..., 0]) / np.pi  # -1..1
    wheel = colour_wheel() / 255
    place = (angle + 1) / 2 * (len(wheel) - 1)
    low = np.floor(place).astype(int)
    part = (place - low)[..., None]
    colour = (1 - part) * wheel[low] + part * wheel[(low + 1) % len(wheel)]
    radius = radius[..., None]
    inside = 1 - radius * (1 - colour)
    picture = np.where(radius <= 1, inside, colour * 0.75)
    return np.floor(255 * picture + 0.5).astype(np.uint8)


def legend(side: int) -> np.ndarray:
    """(side, side, 3) RGB picture of the wheel: right of it = rightward."""
    axis = np.linspace(-1, 1, side)
    dx, dy = np.meshgrid(axis, axis)
    picture = colour_flow(np.stack([dx, dy], axis=-1), 1.0)
    picture[np.hypot(dx, dy) > 1] = 255
    return picture


def preview(
    frame: np.ndarray, flow: np.ndarray, top: float | None = None
) -> np.ndarray:
    """One row of the preview: frame | coloured flow | wheel.

    Args:
        frame: (H, W, 3) uint8 RGB.
        flow: (H, W, 2) pixels.
        top: See :func:`colour_flow`; the wheel's rim is that speed. None:
            the 99th percentile of the speed, at least 1 pixel.

    Returns:
        RGB picture, H high.
    """
    import cv2

    if top is None:
        speed = np.hypot(flow[..., 0], flow[..., 1])
        top = max(1.0, float(np.percentile(speed, 99)))
    height, side = frame.shape[0], min(frame.shape[0], 120)
    box = np.full((height, side + 16, 3), 255, np.uint8)
    wheel = legend(side - 24)
    box[4 : 4 + wheel.shape[0], 20 : 20 + wheel.shape[1]] = wheel
    # white rim so that text and picture do not touch
    cv2.putText(
        box,
        f'rim {top:.1f} px',
        (8, wheel.shape[0] + 20),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.4,
        (0, 0, 0),
        1,
        cv2.LINE_AA,
    )
    gap = np.full((height, 4, 3), 255, np.uint8)
    return np.hstack([frame, gap, colour_flow(flow, top), gap, box])
