"""How a flow is stored in 8 bits.

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
