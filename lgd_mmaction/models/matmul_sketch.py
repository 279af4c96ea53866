"""The tensor sketch without FFT, for runtimes that have none."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lgd_mmaction.models.tensor_sketch import TensorSketch

# real and imaginary part: a pair, or a tensor (2, ...)
Complex = tuple[Tensor, Tensor] | Tensor


class MatmulSketch(nn.Module):
    r"""phi of a :class:`TensorSketch` by gathers and matrix products.

    The count sketch adds up the channels that a table names for each of its
    D entries. The Fourier transform of length D = D1 D2 is that of the
    columns of a D2 x D1 matrix, a twiddle factor, and that of its rows
    (Cooley-Tukey in one step), all in real numbers: D (D1 + D2) products
    instead of D^2. The order of the frequencies does not matter, since
    spectra are only multiplied and transformed back.

    Args:
        sketch: The sketch whose hashes it takes over.

    Shapes:
        (N, C) or (N, C, *positions) -> (N, D), float32.
    """

    table0: Tensor
    table1: Tensor
    sign: Tensor
    columns: Tensor
    twiddle: Tensor
    rows: Tensor

    def __init__(self, sketch: TensorSketch) -> None:
        super().__init__()
        size = sketch.sketch_dim
        inner = max(d for d in range(1, math.isqrt(size) + 1) if size % d == 0)
        self.shape = size // inner, inner  # D2, D1
        for i, h in enumerate(sketch.index):
            self.register_buffer(f'table{i}', _table(h, size))
        self.register_buffer('sign', sketch.sign.float())  # (2, C)
        rows, columns = (torch.arange(n).double() for n in self.shape)
        for name, angle in (
            ('columns', rows[:, None] * rows / len(rows)),  # (D2, D2)
            ('twiddle', rows[:, None] * columns / size),  # (D2, D1)
            ('rows', columns[:, None] * columns / len(columns)),  # (D1, D1)
        ):
            angle = -2 * math.pi * angle
            both = torch.stack([angle.cos(), angle.sin()]).float()
            self.register_buffer(name, both)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) or (N, C, *positions) -> (N, D), mean of phi."""
        x = x.float().flatten(2) if x.dim() > 2 else x.float()[..., None]
        x = x.transpose(1, 2)  # (N, L, C)
        first = self._spectrum(x * self.sign[0], self.table0)
        second = self._spectrum(x * self.sign[1], self.table1)
        real, imaginary = _product(torch.mul, first, second)
        return self._inverse((real.mean(1), imaginary.mean(1)))

    def _spectrum(self, x: Tensor, table: Tensor) -> Complex:
        """(N, L, C), signed -> the count sketch's spectrum, (N, L, D2, D1)."""
        x = F.pad(x, (0, 1))  # a channel of zeros for empty places
        x = x[:, :, table.flatten()].unflatten(2, table.shape).sum(3)
        x = x.unflatten(2, self.shape)  # (N, L, D2, D1)
        real, imaginary = self.columns
        out = _product(torch.mul, (real @ x, imaginary @ x), self.twiddle)
        return _product(torch.matmul, out, self.rows)

    def _inverse(self, spectrum: Complex) -> Tensor:
        """(N, D2, D1) -> (N, D), the real part of the inverse transform."""
        out = _product(torch.matmul, spectrum, _conjugate(self.rows))
        out = _product(torch.mul, out, _conjugate(self.twiddle))
        real, imaginary = self.columns
        total = real @ out[0] + imaginary @ out[1]
        return total.flatten(1) / math.prod(self.shape)


def _product(
    multiply: Callable[[Tensor, Tensor], Tensor], a: Complex, b: Complex
) -> Complex:
    """A complex product, of numbers or of matrices."""
    real = multiply(a[0], b[0]) - multiply(a[1], b[1])
    return real, multiply(a[0], b[1]) + multiply(a[1], b[0])


def _conjugate(a: Complex) -> Complex:
    return a[0], -a[1]


def _table(h: Tensor, size: int) -> Tensor:
    """(C,) hashes -> (D, m): the channels of every entry, C for none."""
    order = h.argsort(stable=True)
    count = h.bincount(minlength=size)
    before = count.cumsum(0) - count  # channels in earlier entries
    place = torch.arange(len(h)) - before[h[order]]
    table = torch.full((size, int(count.max())), len(h))
    table[h[order], place] = order
    return table
