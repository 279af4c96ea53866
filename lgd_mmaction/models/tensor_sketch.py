"""The feature map phi of equation (4): a sketch of second-order products."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lgd_mmaction.errors import ConfigError


def _spectra(
    x: Tensor, index: Tensor, sign: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """FFT(CS(x; h, s)) for both hashes: (N, C, l) -> (N, l, D // 2 + 1)."""
    x = x.transpose(1, 2)  # (N, l, C)
    first, second = (
        torch.fft.rfft(x.new_zeros(*x.shape[:2], size).index_add_(2, h, x * s))
        for h, s in zip(index, sign, strict=True)
    )
    return first, second


class _SketchSum(torch.autograd.Function):
    """phi summed over positions, (N, C, L) -> (N, D), in bounded memory.

    Nothing of length D is kept per position: the backward pass sketches
    again. The gradient of a circular convolution is a correlation with the
    other factor: two real transforms a hash, where autograd would add a
    complex one of the full length, twice as dear as both.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, chunk: int, *hashes: Any) -> Tensor:
        ctx.save_for_backward(x, *hashes[:2])
        ctx.step, ctx.size = max(1, chunk // max(1, x.size(0))), hashes[2]
        parts = (_spectra(p, *hashes) for p in x.split(ctx.step, dim=2))
        total = sum((first * second).sum(dim=1) for first, second in parts)
        return torch.fft.irfft(total, n=ctx.size)  # of (N, D // 2 + 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, index, sign = ctx.saved_tensors
        spectrum = torch.fft.rfft(grad)[:, None]  # (N, 1, D // 2 + 1)
        parts = []
        for part in x.split(ctx.step, dim=2):
            factors = _spectra(part, index, sign, ctx.size)
            terms = (
                torch.fft.irfft(spectrum * other.conj(), n=ctx.size)[..., h]
                * s
                for other, h, s in zip(factors[::-1], index, sign, strict=True)
            )
            parts.append(sum(terms).transpose(1, 2))  # (N, C, l)
        return torch.cat(parts, dim=2), None, None, None, None


class TensorSketch(nn.Module):
    r"""phi of equation (4), averaged over positions.

    phi(v) = IFFT(FFT(CS(v; h1, s1)) * FFT(CS(v; h2, s2))), where the count
    sketch CS(v; h, s) adds s[c] v[c] into entry h[c] of a vector of length
    D. Written out, entry d of phi(v) is the sum of s1[a] s2[b] v[a] v[b] over
    all pairs of channels with h1[a] + h2[b] = d (mod D), so that
    E<phi(u), phi(v)> = <u, v>^2 over the random hashes.

    .. code-block:: text

        x --+--> CS(h1, s1) --> FFT --+
            |                         (*) --> mean over --> IFFT --> phi
            +--> CS(h2, s2) --> FFT --+       positions

    The inverse FFT is linear: one of them, after the mean, is enough.

    Args:
        in_channels: C, length of the vectors.
        sketch_dim: D, length of the sketch.
        seed: Draws the hashes h1, h2 and the signs s1, s2, buffers that are
            saved with the model; the same ones on every machine.
        chunk: At most so many vectors are sketched at once. One needs about
            24 D bytes of working memory, 0.2 MB at D = 8192; 128 x 3 x 7 x 7
            positions at once would need 4 GB. None: no limit, which export
            with a batch of any size needs.

    Shapes:
        (N, C) or (N, C, *positions) -> (N, D). The result is float32 whatever
        the input and autocast (products of two half-precision features
        overflow), float64 for float64 input.

    Raises:
        ConfigError: An argument below 1, or input of other channels.

    Source: Pham & Pagh, KDD 2013; Gao et al., Compact Bilinear Pooling, CVPR
    2016.
    """

    index: Tensor
    sign: Tensor

    def __init__(
        self,
        in_channels: int,
        sketch_dim: int = 8192,
        seed: int = 0,
        chunk: int | None = 1024,
    ) -> None:
        super().__init__()
        for name, value in (
            ('in_channels', in_channels),
            ('sketch_dim', sketch_dim),
            ('chunk', chunk),
        ):
            if value is not None and value < 1:
                raise ConfigError(
                    f'{name} of the tensor sketch is {value}: it must be 1 '
                    'or more.'
                )
        self.in_channels = in_channels
        self.sketch_dim = sketch_dim
        self.chunk = chunk
        rng = torch.Generator(device='cpu').manual_seed(seed)
        options: Any = dict(size=(2, in_channels), generator=rng, device='cpu')
        index = torch.randint(sketch_dim, **options)
        sign = torch.randint(2, **options)
        self.register_buffer('index', index)  # h1, h2: (2, C), 0 .. D - 1
        # integers, so that .half() cannot touch them, and long ones, since
        # mmengine's SyncBuffersHook sums all buffers over all processes
        self.register_buffer('sign', 2 * sign - 1)  # s1, s2
        # tells a checkpoint's hashes into another D from ours; see below
        self.register_buffer('size', torch.tensor(sketch_dim, device='cpu'))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) or (N, C, *positions) -> (N, D), mean of phi."""
        if x.dim() < 2 or x.size(1) != self.in_channels:
            raise ConfigError(
                f'the tensor sketch was built for {self.in_channels} channels'
                f' and got a tensor of shape {tuple(x.shape)}: set in_channels'
                ' to the channels of its input, (N, C) or (N, C, *positions).'
            )
        hashes = self.index, self.sign, self.sketch_dim
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(torch.promote_types(x.dtype, torch.float32))
            x = x.reshape(*x.shape[:2], x.shape[2:].numel())  # (N, C, L)
            if self.chunk is None:
                first, second = _spectra(x, *hashes)
                total = (first * second).sum(dim=1)
                total = torch.fft.irfft(total, n=self.sketch_dim)
            else:
                parts = (
                    _SketchSum.apply(part, self.chunk, *hashes)
                    for part in x.split(self.chunk)
                )
                total = torch.cat([*parts])
            return total / x.size(2)  # (N, D)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        """Take over the saved hashes, unless they point into another D.

        The shapes of ``index`` and ``sign`` do not tell D. Hashes into
        another are reported as torch reports a size mismatch: an error if
        strict, else a warning, and ours are kept.
        """
        size = int(state_dict.get(prefix + 'size', self.sketch_dim))
        if size == self.sketch_dim:
            super()._load_from_state_dict(state_dict, prefix, *args)
            return
        *_, error_msgs = args
        error_msgs.append(
            f'size mismatch for {prefix}index: the hashes of the checkpoint '
            f'are for sketch_dim={size}, the model has '
            f'sketch_dim={self.sketch_dim}.'
        )
