"""Pseudo-3D convolutions: a 2D spatial and a 1D temporal one for each 3D."""

from typing import Any

import torch.nn.functional as F
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.modules.utils import _triple

from lgd_mmaction.errors import ConfigError

KINDS = ('A', 'B', 'C')


class SpatialConv(nn.Conv3d):
    """1 x k x k, computed as a 2D convolution of every frame.

    In channels_last_3d the frames are a view; in the contiguous layout they
    are copied.
    """

    def forward(self, x: Tensor) -> Tensor:
        n, step = x.size(0), self.stride[0]
        if step != 1:
            x = x[:, :, ::step]
        y = F.conv2d(
            x.transpose(1, 2).flatten(0, 1),  # (N*T', C_in, H, W)
            self.weight.squeeze(2),  # (C_out, C_in / groups, k, k)
            self.bias,
            self.stride[1:],
            tuple(map(int, self.padding[1:])),
            self.dilation[1:],
            self.groups,
        )  # (N*T', C_out, H', W')
        return y.unflatten(0, (n, -1)).transpose(1, 2)


class TemporalConv(nn.Conv3d):
    """kt x 1 x 1, computed as a 2D convolution over (T, H*W).

    As a 3D one its weight gradient in bfloat16 is garbage for T = 2 on x86
    processors with AVX-512 and without AMX (torch 2.13, oneDNN 3.12).
    """

    def forward(self, x: Tensor) -> Tensor:
        _, sh, sw = self.stride
        if (sh, sw) != (1, 1):
            x = x[..., ::sh, ::sw]
        y = F.conv2d(
            x.flatten(3),  # (N, C_in, T, H*W), a view
            self.weight.flatten(3),  # (C_out, C_in / groups, kt, 1)
            self.bias,
            (self.stride[0], 1),
            (int(self.padding[0]), 0),
            (self.dilation[0], 1),
            self.groups,
        )  # (N, C_out, T', H*W)
        return y.unflatten(3, x.shape[3:])


def compute_in_2d(module: nn.Module) -> None:
    """Let each plain Conv3d of 1 x k x k or kt x 1 x 1 run as a 2D one.

    1 x 1 x 1 too: for few clips on one thread torch runs a Conv3d of it by
    code that wants the contiguous layout. Parameters and keys stay.
    """
    for conv in module.modules():
        if type(conv) is not nn.Conv3d or conv.padding_mode != 'zeros':
            continue
        padding = _triple(conv.padding)
        if conv.kernel_size[1:] == (1, 1) and padding[1:] == (0, 0):
            conv.__class__ = TemporalConv
        elif conv.kernel_size[0] == 1 and padding[0] == 0:
            conv.__class__ = SpatialConv


@MODELS.register_module()
class Pseudo3DConv(nn.Module):
    r"""A kt x k x k convolution factorised into 1 x k x k and kt x 1 x 1.

    .. code-block:: text

        A  serial      x -> S -> T ->            y = T(S(x))
        B  parallel    x -> S -> (+) ->          y = S(x) + T(x)
                         -> T ---^
        C  serial with a shortcut
                       x -> S -> T -> (+) ->     y = S(x) + T(S(x))
                              ---------^

    Every kind starts as S alone: T is the identity in A, zero in B and C,
    so a network inflated from 2D weights computes the 2D network on the
    frames that its temporal strides keep.

    Args:
        kernel_size: (kt, k, k), or an int; kt is odd.
        bias: Whether both convolutions have a bias.
        kind: ``'A'``, ``'B'`` or ``'C'``.
        The others are those of ``nn.Conv3d``.

    Shapes:
        As ``nn.Conv3d``: (N, C_in, T, H, W) -> (N, C_out, T', H', W').

    Raises:
        ConfigError: An unknown kind, or an even temporal kernel.

    By itself the convolution is linear, as drawn. In a network the norm and
    ReLU of its ConvModule follow the whole of A and B, as in the first
    author's later LGD-3D code, and stand between S and T in C
    (:class:`ShortcutConvModule`).

    Source: P3D (Qiu et al., ICCV 2017) names the kinds. The order of the
    factors in LGD-3D itself is a choice; see docs/fidelity.md.
    """

    # read by mmcv's ConvModule, like the same attributes of nn.Conv3d
    transposed = False
    output_padding = (0, 0, 0)
    padding_mode = 'zeros'

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,  # as nn.Conv3d: an int or three
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = False,
        kind: str = 'A',
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ConfigError(
                f'pseudo3d kind {kind!r} is unknown: use {", ".join(KINDS)} '
                "or a cycle of them such as 'ABC'."
            )
        kernel_size, stride = _triple(kernel_size), _triple(stride)
        padding, dilation = _triple(padding), _triple(dilation)
        if kernel_size[0] % 2 == 0:
            raise ConfigError(
                f'the temporal kernel of a pseudo-3D convolution is '
                f'{kernel_size[0]}: it must be odd, to have a middle frame.'
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.dilation = padding, dilation
        self.groups, self.kind = groups, kind

        parallel = kind == 'B'
        (kt, kh, kw), (st, sh, sw) = kernel_size, stride
        # S keeps every frame, unless its output meets T's directly (B)
        self.spatial = SpatialConv(
            in_channels,
            out_channels,
            (1, kh, kw),
            stride=(st, sh, sw) if parallel else (1, sh, sw),
            padding=(0, *padding[1:]),
            dilation=(1, *dilation[1:]),
            groups=groups,
            bias=bias,
        )
        self.temporal = TemporalConv(
            in_channels if parallel else out_channels,
            out_channels,
            (kt, 1, 1),
            stride=stride if parallel else (st, 1, 1),
            padding=(padding[0], 0, 0),
            dilation=(dilation[0], 1, 1),
            groups=groups,
            bias=bias,
        )
        self.reset_temporal()

    def reset_temporal(self) -> None:
        """Start T so that the whole convolution is its spatial factor."""
        nn.init.zeros_(self.temporal.weight)
        if self.temporal.bias is not None:
            nn.init.zeros_(self.temporal.bias)
        if self.kind == 'A':
            nn.init.dirac_(self.temporal.weight, self.groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == 'B':
            return self.spatial(x) + self.temporal(x)
        s = self.spatial(x)  # (N, C_out, T, H', W')
        if self.kind == 'A':
            return self.temporal(s)  # (N, C_out, T', H', W')
        return self.keep(s) + self.temporal(s)

    def keep(self, s: Tensor) -> Tensor:
        """The frames of S(x) that T's stride keeps, for the shortcut of C."""
        step = self.stride[0]
        return s if step == 1 else s[:, :, ::step]


class ShortcutConvModule(ConvModule):
    """A ConvModule around a Pseudo3DConv of kind C.

    s = ReLU(BN(S(x))), then ReLU(s + T(s)): the norm stands behind S, and
    none behind T. Without an activation of its own (the last convolution of
    a basic block, whose ReLU waits for the unit's shortcut) it returns
    s + T(ReLU(s)) of s = BN(S(x)). As T starts at zero, both start as the
    ConvModule of S.
    """

    def forward(
        self, x: Tensor, activate: bool = True, norm: bool = True
    ) -> Tensor:
        s = self.conv.spatial(x)  # (N, C, T, H', W')
        if norm and self.with_norm:
            s = self.norm(s)
        if not (activate and self.with_activation):
            return self.conv.keep(s) + self.conv.temporal(F.relu(s))
        s = self.activate(s)
        return self.activate(self.conv.keep(s) + self.conv.temporal(s))
