"""Grey pictures whose content moves by whole pixels; their flow as stored."""

import cv2
import numpy as np


def texture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for cell in (2, 4, 8, 16, 32):
        shape = (height // cell + 3, width // cell + 3)
        noise = rng.standard_normal(shape).astype(np.float32)
        total += cv2.resize(
            noise, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC
        )[:height, :width]
    low, high = total.min(), total.max()
    return (total - low) * (255 / (high - low))


def moving(frames, dx, dy, height=96, width=128):
    """(T, H, W) uint8; the content moves (dx, dy) whole pixels a frame."""
    rim = 24 + frames * (abs(dx) + abs(dy))
    big = texture(height + 2 * rim, width + 2 * rim)
    out = []
    for i in range(frames):
        top, left = rim - i * dy, rim - i * dx
        out.append(big[top : top + height, left : left + width])
    return np.rint(np.stack(out)).astype(np.uint8)


def dequantise(stored):
    """uint8 -> pixels, the formula of flow_store.py at its bound."""
    return (stored.astype(np.float64) * (40 / 255) - 20).astype(np.float32)
