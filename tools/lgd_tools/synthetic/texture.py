"""Random textures whose look has no beginning, end, top or middle.

The generated clips must not give their class away in a single frame, so
every quantity that a motion changes has to be *stationary*: its distribution
is the same at every time, for every motion.

- Position: a tile is periodic and its offset uniform, so a shift by any
  amount leaves the distribution as it was.
- Angle: uniform on the circle, so a turn leaves it as it was.
- Scale: here lies the difficulty, because a texture that grows gets coarse.
  :class:`EndlessTexture` is a sum of layers, one per octave, each an
  independent random tile. Layer k is seen at 2^(k + z) of the finest
  wavelength, with weight sin^2(pi (k + z) / 3), so it fades in while it is
  fine and fades out when it is coarse, as the tones of a Shepard scale. Zoom
  changes z; z + 1 is the same picture with the layers renumbered, so with
  z uniform on [0, 1) every z + constant has the same distribution.

All positions are in pixels, x to the right, y down; angles are in radians,
positive is clockwise as seen by the viewer.
"""

import cv2
import numpy as np

# One thread: a clip must not depend on the machine it was made on, and the
# generator already runs one process per core.
cv2.setNumThreads(1)

TILE = 128  # tile edge in texels
_CYCLES = 8  # mean number of wavelengths across a tile
_OCTAVES = 3  # layers seen at the same time
_LAYER_ZERO = 1 << 20  # keeps the seeds of negative layers non-negative


def noise_tile(rng: np.random.Generator) -> np.ndarray:
    """A smooth periodic random field: float32 (TILE, TILE, 2) in [-1, 1].

    The two channels are independent.
    """
    # Spectrum: complex noise on a ring. Its field's real and imaginary parts
    # are independent, one channel each.
    freq = np.arange(-_CYCLES * 2, _CYCLES * 2 + 1)
    radius = np.hypot(freq[:, None], freq[None, :])
    ring = np.exp(-0.5 * ((radius - _CYCLES) / 2.0) ** 2)
    noise = rng.standard_normal((2, *ring.shape))
    lines = ring * (noise[0] + 1j * noise[1])
    # By Parseval, this gives each channel unit variance.
    lines *= TILE**2 / np.sqrt((np.abs(lines) ** 2).sum() / 2)
    spectrum = np.zeros((TILE, TILE), np.complex64)
    spectrum[np.ix_(freq, freq)] = lines
    field = np.fft.ifft2(spectrum)
    field = np.stack([field.real, field.imag], axis=-1).astype(np.float32)
    # tanh: plain blobs with clear borders, easier to follow than haze.
    return np.tanh(np.float32(1.5) * field)


class EndlessTexture:
    """A random texture that can be moved, turned and zoomed without end.

    Args:
        seed: Non-negative integers; equal seeds give equal textures.
        side: Length in pixels that the wavelengths are relative to. They run
            from 0.08 to 0.64 of it, the strongest is near 0.23.
    """

    def __init__(self, seed: tuple[int, ...], side: float) -> None:
        self._seed = tuple(seed)
        self._finest = 0.08 * side
        self._layers: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def _layer(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Tile and offset (texels) of a layer; made when first seen."""
        if index not in self._layers:
            rng = np.random.default_rng([*self._seed, index + _LAYER_ZERO])
            offset = rng.uniform(0, TILE, 2)
            self._layers[index] = noise_tile(rng), offset
        return self._layers[index]

    def view(
        self,
        size: tuple[int, int],
        centre: tuple[float, float],
        angle: float,
        zoom: float,
    ) -> np.ndarray:
        """What a window sees: float32 (h, w, 2), roughly within [-1, 1].

        Args:
            size: h, w.
            centre: x, y of the texture's origin in the window.
            angle: Turn of the texture about its origin.
            zoom: z, in octaves; larger is nearer.
        """
        height, width = size
        out = np.zeros((height, width, 2), np.float32)
        first = int(np.floor(-zoom)) + 1
        for index in range(first, first + _OCTAVES):
            octave = index + zoom  # within (0, _OCTAVES]
            weight = np.sin(np.pi * octave / _OCTAVES) ** 2
            if weight < 1e-4:
                continue
            tile, offset = self._layer(index)
            texels = TILE / _CYCLES / (self._finest * 2.0**octave)
            cos, sin = texels * np.cos(angle), texels * np.sin(angle)
            # Window pixel -> texel: the inverse turn, then the offset.
            linear = np.array([[cos, sin], [-sin, cos]])
            shift = (offset - linear @ np.asarray(centre, float)) % TILE
            warped = cv2.warpAffine(
                tile,
                np.column_stack([linear, shift]),
                (width, height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_WRAP,
            )
            out += np.float32(weight) * warped
        return out


class Palette:
    """Random colours: field values (f1, f2) -> RGB, by two colour axes."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._mean = rng.uniform(95, 160, 3)
        axes = np.linalg.qr(rng.standard_normal((3, 2)))[0]
        self._axes = axes * np.array([95.0, 65.0])

    def paint(self, field: np.ndarray) -> np.ndarray:
        """float32 (h, w, 2) -> float32 (h, w, 3) within [0, 255]."""
        axes = self._axes.T.astype(np.float32)
        rgb = field @ axes + self._mean.astype(np.float32)
        return np.clip(rgb, 0, 255)


def shape_mask(
    size: int,
    centre: tuple[float, float],
    radius: float,
    corners: int,
    angle: float,
) -> np.ndarray:
    """Soft-edged mask of a disc (corners=0) or a regular polygon.

    float32 (size, size), 0 outside, 1 within the outer radius of the shape.
    """
    dx = np.arange(size)[None, :] - centre[0]
    dy = np.arange(size)[:, None] - centre[1]
    distance = np.hypot(dx, dy)
    edge = radius
    if corners:
        sector = 2 * np.pi / corners
        phi = (np.arctan2(dy, dx) - angle) % sector - sector / 2
        edge = radius * np.cos(sector / 2) / np.cos(phi)
    return np.clip(edge - distance + 0.5, 0, 1).astype(np.float32)


def paste(
    canvas: np.ndarray,
    patch: np.ndarray,
    mask: np.ndarray,
    left: int,
    top: int,
    wrap: bool = False,
) -> None:
    """Blend a patch (n, m, C) into a canvas (h, w, C), float32, in place.

    It covers the canvas where the mask (n, m) is 1. What leaves the canvas is
    cut, or enters opposite (wrap: n <= h, m <= w).
    """
    rows = top + np.arange(len(patch))
    cols = left + np.arange(patch.shape[1])
    if wrap:
        rows, cols = rows % canvas.shape[0], cols % canvas.shape[1]
    in_rows = (rows >= 0) & (rows < canvas.shape[0])
    in_cols = (cols >= 0) & (cols < canvas.shape[1])
    inside = np.ix_(in_rows, in_cols)
    spot = np.ix_(rows[in_rows], cols[in_cols])
    alpha = mask[inside][..., None]
    canvas[spot] += alpha * (patch[inside] - canvas[spot])


def to_uint8(frame: np.ndarray) -> np.ndarray:
    """Round a float frame within [0, 255] to uint8."""
    return np.rint(np.clip(frame, 0, 255)).astype(np.uint8)
