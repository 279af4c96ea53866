"""Equations (1) and (2): how the local and the global path exchange."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lgd_mmaction.errors import ConfigError

FORMS = ('both', 'global_to_local', 'local_to_global', 'multiplicative')


class LowRankProjection(nn.Module):
    """A low-rank matrix W = W_b W_a: two linear layers, nothing between.

    Args:
        in_channels: Length of the vector that comes in.
        out_channels: Length of the vector that goes out, C_l.
        reduction: C_l / inner width; 16 in the paper. The inner width is at
            least 1.
        zero: Start as the zero map (weight and bias of W_b), so that adding
            the projection to a pretrained network changes nothing.

    Shapes:
        (N, in_channels) -> (N, out_channels)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        reduction: int = 16,
        zero: bool = False,
    ) -> None:
        super().__init__()
        inner = max(1, out_channels // reduction)
        self.reduce = nn.Linear(in_channels, inner)  # W_a
        self.expand = nn.Linear(inner, out_channels)  # W_b
        self.zero = zero
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw both factors so that the product keeps the signal's scale.

        Std 1 / sqrt(fan-in) for each factor: two such terms summed, then
        halved by the ReLU of (2), keep E[g^2] along any depth. PyTorch's
        default for linear layers would shrink it 9-fold in every unit.
        """
        for layer in (self.reduce, self.expand):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
        if self.zero:
            nn.init.zeros_(self.expand.weight)

    def forward(self, v: Tensor) -> Tensor:
        return self.expand(self.reduce(v))  # (N, C_in) -> (N, C_out)


class LocalGlobalDiffusion(nn.Module):
    r"""Equations (1) and (2) of one LGD block.

    .. code-block:: text

        x_{l-1} --> F_l --> (+) --> ReLU --+--------------> x_l
                             |             P
                          W^{x,g}       W^{g,x}
                             |             |
        g_{l-1} -------------+--W^{g,g}-->(+) --> ReLU ---> g_l

    Args:
        in_channels: C_{l-1}, channels of g_{l-1}.
        channels: C_l, channels of x_l and g_l.
        form: ``'both'``: (1) and (2), the paper's block.
            ``'global_to_local'``: (1) alone; g does not see x_l, so
            g_l = ReLU(W^{g,g} g_{l-1}).
            ``'local_to_global'``: (2) alone; x_l = ReLU(F_l(x_{l-1})).
            ``'multiplicative'``: (2), with the sum of (1) replaced by a
            squeeze-and-excitation-like gate, x_l = ReLU(F_l(x_{l-1}) *
            2 sigmoid(US(W^{x,g} g_{l-1}))), which is 1 at the start.
        reduction: C_l / width of the low-rank projections.

    Raises:
        ConfigError: An unknown form, or a reduction below 1.

    Source: Qiu et al., CVPR 2019, Sec. 3.1. The exact forms of the paper's
    own ablations are not known; see docs/fidelity.md.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        form: str = 'both',
        reduction: int = 16,
    ) -> None:
        super().__init__()
        if form not in FORMS:
            raise ConfigError(
                f'diffusion form {form!r} is unknown: use one of '
                f'{", ".join(map(repr, FORMS))}, or diffusion=None for the '
                'plain network.'
            )
        if reduction < 1:
            raise ConfigError(
                f'diffusion reduction is {reduction}: it divides the channels'
                ' of the low-rank projections and must be 1 or more.'
            )
        self.form = form
        self.reduction = reduction
        self.channels = channels
        if form != 'local_to_global':
            self.global_to_local = LowRankProjection(  # W^{x,g}
                in_channels, channels, reduction, zero=True
            )
        if form != 'global_to_local':
            self.local_to_global = LowRankProjection(  # W^{g,x}
                channels, channels, reduction
            )
        self.global_to_global = LowRankProjection(  # W^{g,g}
            in_channels, channels, reduction
        )

    def diffuse_to_local(
        self, f: Tensor, g: Tensor, inplace: bool = False
    ) -> Tensor:
        """Equation (1) before its ReLU.

        Args:
            f: F_l(x_{l-1}), (N, C_l, T, H, W).
            g: g_{l-1}, (N, C_{l-1}, 1, 1, 1).
            inplace: Whether the sum may overwrite f: nobody else reads it.

        Returns:
            (N, C_l, T, H, W)
        """
        if self.form == 'local_to_global':
            return f
        w = self.global_to_local(g.flatten(1))  # (N, C_l)
        w = w[:, :, None, None, None]  # US: broadcast to every position
        if self.form == 'multiplicative':
            return f * (2 * torch.sigmoid(w))
        return f.add_(w) if inplace else f + w

    def diffuse_to_global(self, x: Tensor, g: Tensor) -> Tensor:
        """Equation (2).

        Args:
            x: x_l, (N, C_l, T, H, W).
            g: g_{l-1}, (N, C_{l-1}, 1, 1, 1).

        Returns:
            g_l, (N, C_l, 1, 1, 1)
        """
        out = self.global_to_global(g.flatten(1))  # (N, C_l)
        if self.form != 'global_to_local':
            out = out + self.local_to_global(pool(x).flatten(1))
        return F.relu(out)[:, :, None, None, None]

    def forward(self, f: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """(F_l(x_{l-1}), g_{l-1}) -> (x_l, g_l), with the ReLU of (1)."""
        x = F.relu(self.diffuse_to_local(f, g))
        return x, self.diffuse_to_global(x, g)


def pool(x: Tensor) -> Tensor:
    """P: the mean over positions; (N, C, T, H, W) -> (N, C, 1, 1, 1)."""
    # the gradient of a sum is a view of the pooled one; that of a mean is a
    # new tensor of the size of x. In half precision the sum needs float32.
    wide = torch.promote_types(x.dtype, torch.float32)
    positions = tuple(range(2, x.dim()))
    total = x.sum(dim=positions, keepdim=True, dtype=wide)
    return (total / x[0, 0].numel()).to(x.dtype)
