"""The global path over MMAction2's ResNet3d family."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain, cycle
from typing import Any

import torch
from mmaction.models.backbones.resnet2plus1d import ResNet2Plus1d
from mmaction.models.backbones.resnet3d import (
    BasicBlock3d,
    Bottleneck3d,
    ResNet3d,
)
from mmaction.models.backbones.resnet3d_csn import (
    CSNBottleneck3d,
    ResNet3dCSN,
)
from mmaction.models.backbones.resnet3d_slowonly import ResNet3dSlowOnly
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.diffusion import (
    LocalGlobalDiffusion,
    LowRankProjection,
    pool,
)
from lgd_mmaction.models.inflate import inflate_2d_weights, load_2d_state_dict
from lgd_mmaction.models.pseudo3d import (
    KINDS,
    Pseudo3DConv,
    ShortcutConvModule,
    compute_in_2d,
)

# base of a mixin, whose methods call those of the stock class behind it
Stock: Any = object
TEMPORAL_STARTS = ('identity', 'random')


@contextmanager
def kept_statistics(module: nn.Module) -> Iterator[None]:
    """Batch norms normalise by their batch and leave their averages alone.

    For a forward that gradient checkpointing runs a second time: its batch
    is counted already.
    """
    norms = [
        (m, m.momentum, m.num_batches_tracked.clone())
        for m in module.modules()
        if isinstance(m, _BatchNorm) and m.training and m.track_running_stats
    ]
    for norm, _, _ in norms:
        norm.momentum = 0.0  # the batch's weight in the average
    try:
        yield
    finally:
        for norm, momentum, count in norms:
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)


class LGDUnit(Stock):
    """A stock residual unit that carries (x, g): one LGD block.

    Mixed in before the stock block. F_l is the stock forward with its last
    ReLU taken out; the ReLU of (1) is the leaf ``local_out``, one tensor,
    for tools such as Grad-CAM that hook a module.

    Shapes:
        x_{l-1} (N, C_{l-1}, T, H, W), g_{l-1} (N, C_{l-1}, 1, 1, 1) ->
        x_l (N, C_l, T', H', W'), g_l (N, C_l, 1, 1, 1). A bare x_0 starts
        the global path with g_0 = P(x_0).
    """

    relu: nn.Module
    with_cp: bool
    non_local: Any

    def __init__(
        self, inplanes: int, planes: int, *args, diffusion: dict, **kwargs
    ) -> None:
        super().__init__(inplanes, planes, *args, **kwargs)
        self.diffusion = LocalGlobalDiffusion(
            inplanes, planes * self.expansion, **diffusion
        )
        self.local_out, self.relu = self.relu, nn.Identity()
        # gradient checkpointing here instead, see forward
        self.recompute, self.with_cp = self.with_cp, False
        # the stock block applies its non-local block after the last ReLU
        self.with_non_local, self.non_local = self.non_local, False

    def forward(
        self, state: Tensor | tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        x, g = state if isinstance(state, tuple) else (state, pool(state))
        # F_l(x_{l-1}), (N, C_l, T', H', W'), is the stock unit's forward:
        # convolutions (each with norm and ReLU, the last without ReLU), plus
        # the shortcut. Its own last ReLU is the Identity of __init__.
        if self.recompute and torch.is_grad_enabled():
            # the stock block's reentrant kind breaks DDP with parameters
            # that have no gradient
            f = checkpoint(
                super().forward,
                x,
                use_reentrant=False,
                context_fn=lambda: (nullcontext(), kept_statistics(self)),
            )
        else:
            f = super().forward(x)
        # (1); f is a fresh sum that no backward pass needs
        f = self.diffusion.diffuse_to_local(f, g, inplace=True)
        x = self.local_out(f)
        if self.with_non_local:
            x = self.non_local_block(x)
        return x, self.diffusion.diffuse_to_global(x, g)  # (2)


class LGDBasicBlock3d(LGDUnit, BasicBlock3d):
    """BasicBlock3d as an LGD block."""


class LGDBottleneck3d(LGDUnit, Bottleneck3d):
    """Bottleneck3d as an LGD block."""


class LGDCSNBottleneck3d(LGDUnit, CSNBottleneck3d):
    """CSNBottleneck3d as an LGD block."""


LGD_UNITS = {
    BasicBlock3d: LGDBasicBlock3d,
    Bottleneck3d: LGDBottleneck3d,
    CSNBottleneck3d: LGDCSNBottleneck3d,
}


class OnLocal(nn.Module):
    """Applies a module to x of the pair (x, g) and hands g through."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x, g = state
        return self.module(x), g


class GlobalPath(Stock):
    r"""Gives a stock ResNet3d class its global path.

    .. code-block:: text

        clip -> stem -> x_0 -> unit 1 -> x_1 -> unit 2 -> ... -> x_L
                         |P      || (1),(2)       ||
                         +-> g_0 ------> g_1 ----------> ... -> g_L

    Mixed in before the stock class, whose arguments, defaults, forward and
    parameter names all stay: only the units are others. A stock state dict
    therefore loads with nothing but ``*.diffusion.*`` missing, and as
    W^{x,g} starts at zero, x_L is then the stock network's output.

    Args:
        diffusion: ``form`` and ``reduction`` of
            :class:`~lgd_mmaction.models.diffusion.LocalGlobalDiffusion`;
            missing ones take its defaults. ``None`` is the plain network.
        pseudo3d: Kinds of pseudo-3D convolution, cycled over the residual
            units: ``'A'`` (LGD-3D here), ``'B'``, ``'C'`` or e.g. ``'ABC'``
            (the first author's later code). Each kernel with both a
            temporal and a spatial extent is factorised, the stem's too.
            ``None`` keeps the convolutions of the stock class.
        temporal_start: How temporal factors start without ``pretrained``:
            ``'identity'``, or ``'random'`` as all other convolutions.
            Identity is for 2D weights; from scratch it makes the network
            blind to the direction of time, and leaving that takes long.
        channels_last: Keep weights and features in channels_last_3d, where
            every convolution of one frame or one position is a 2D one
            without copies: the same numbers, sooner (docs/results.md)
            except for few clips on one CPU thread. Our configs have it.
        kwargs: Those of the stock class, by name.

    Returns (forward):
        (x_L, g_L): (N, C, T, H, W) and (N, C, 1, 1, 1). With several
        ``out_indices`` a tuple of such pairs, one a stage. A bare tensor, as
        the stock class, with ``diffusion=None``.

    Raises:
        ConfigError: A depth, diffusion or pseudo3d that does not exist or
            does not fit the other arguments.
        CheckpointError: ``pretrained`` is unreadable or of another network.

    Source: Qiu et al., CVPR 2019, Sec. 3.1 and 4.1.
    """

    depths: tuple[int, ...] = tuple(ResNet3d.arch_settings)
    pool2: nn.Module

    def __init__(
        self,
        *args,
        diffusion: dict | None = dict(form='both', reduction=16),  # noqa: B006
        pseudo3d: str | None = None,
        temporal_start: str = 'identity',
        channels_last: bool = False,
        **kwargs,
    ) -> None:
        depth = args[0] if args and isinstance(args[0], int) else 50
        depth = kwargs.get('depth', depth)
        if depth not in self.depths:
            raise ConfigError(
                f'{type(self).__name__} has no depth {depth!r}: use one of '
                f'{", ".join(map(str, self.depths))}.'
            )
        unknown = set(diffusion or ()) - {'form', 'reduction'}
        if unknown:
            raise ConfigError(
                f'diffusion has no argument {sorted(unknown)[0]!r}: it takes '
                'form and reduction; None is the plain network.'
            )
        if pseudo3d is not None and not (
            pseudo3d
            and isinstance(pseudo3d, str)
            and set(pseudo3d) <= {*KINDS}
        ):
            raise ConfigError(
                f'pseudo3d={pseudo3d!r} is unknown: use a kind '
                f"({', '.join(KINDS)}), a cycle of kinds such as 'ABC', or "
                'None.'
            )
        if temporal_start not in TEMPORAL_STARTS:
            raise ConfigError(
                f'temporal_start={temporal_start!r} is unknown: use '
                f'{" or ".join(map(repr, TEMPORAL_STARTS))}.'
            )
        # the stock class hands what it does not know to make_res_layer
        super().__init__(*args, diffusion=diffusion, **kwargs)
        self.pseudo3d = pseudo3d
        self.temporal_start = temporal_start
        if diffusion is not None:
            # the stock forward pools between stages, where a pair travels
            self.pool2 = OnLocal(self.pool2)
        for unit in self.residual_units():
            if unit.temporal_stride != 1 and unit.downsample is None:
                raise ConfigError(
                    f'temporal_strides={tuple(self.temporal_strides)}: a '
                    'stage with a temporal stride also needs a spatial '
                    'stride or a change of channels, else the shortcut of '
                    'its first unit keeps another number of frames.'
                )
        if pseudo3d is not None:
            self._factorise(pseudo3d)
        self.channels_last = channels_last
        if channels_last:
            compute_in_2d(self)
            self.to(memory_format=torch.channels_last_3d)

    def forward(self, x: Tensor) -> Tensor | tuple:
        """(N, C_0, T, H, W) -> (x_L, g_L), through the stock forward.

        That is stem, max-pool, then the stages, each a sequence of units; a
        unit turns x_0 or (x, g) into (x, g), see :class:`LGDUnit`.
        """
        if self.channels_last:
            x = x.to(memory_format=torch.channels_last_3d)
        return super().forward(x)

    def make_res_layer(
        self, block: type, *args, diffusion: dict | None, **kwargs
    ) -> nn.Module:
        """Build a stage; of LGD units, unless ``diffusion`` is ``None``."""
        if diffusion is not None:
            block = LGD_UNITS[block]
            kwargs['diffusion'] = diffusion
        return super().make_res_layer(block, *args, **kwargs)

    def residual_units(self) -> list[nn.Module]:
        """The residual units in the order of the data."""
        return [u for name in self.res_layers for u in getattr(self, name)]

    def _factorise(self, kinds: str) -> None:
        found = False
        # the stem is no unit: it takes the first kind, and so does unit 1
        parts = [self.conv1, *self.residual_units()]
        kinds_of = chain(kinds[0], cycle(kinds))
        for part, kind in zip(parts, kinds_of, strict=False):
            for module in part.modules():
                if not isinstance(module, ConvModule):
                    continue
                conv = module.conv
                if not isinstance(conv, nn.Conv3d):
                    raise ConfigError(
                        f'pseudo3d={kinds!r} cannot factorise a '
                        f'{type(conv).__name__}: leave out conv_cfg, or '
                        'leave out pseudo3d.'
                    )
                if conv.kernel_size[0] > 1 and conv.kernel_size[1] > 1:
                    module.conv = Pseudo3DConv(
                        conv.in_channels,
                        conv.out_channels,
                        conv.kernel_size,
                        conv.stride,
                        conv.padding,
                        conv.dilation,
                        conv.groups,
                        bias=conv.bias is not None,
                        kind=kind,
                    )
                    if kind == 'C':  # the same layers in another order
                        module.__class__ = ShortcutConvModule
                    found = found or part is not self.conv1
        if not found:
            raise ConfigError(
                f'pseudo3d={kinds!r} found no 3x3x3 convolution in '
                "the units: set inflate_style='3x3x3' and inflate=(1, 1, 1, "
                '1), or pseudo3d=None.'
            )

    def init_weights(self, pretrained: str | None = None) -> None:
        """Load ``pretrained``, or draw the weights as the stock class does.

        Diffusion starts with W^{x,g} = 0, temporal factors as
        ``temporal_start`` says.
        """
        for module in self.modules():
            if isinstance(module, LowRankProjection):
                module.reset_parameters()
        super().init_weights(pretrained)
        if self.pretrained is None and self.temporal_start == 'identity':
            # the stock draw treats every Conv3d alike
            for module in self.modules():
                if isinstance(module, Pseudo3DConv):
                    module.reset_temporal()

    def inflate_weights(self, logger) -> None:
        """Load 2D weights from ``self.pretrained``, factors included."""
        state = load_2d_state_dict(self.pretrained)
        inflate_2d_weights(self, state, self.pretrained)
        logger.info(f'inflated 2D weights from {self.pretrained}')


@MODELS.register_module()
class LGDResNet3d(GlobalPath, ResNet3d):
    """ResNet3d (LGD-2D and LGD-3D by its arguments, I3D) + global path."""


@MODELS.register_module()
class LGDResNet3dSlowOnly(GlobalPath, ResNet3dSlowOnly):
    """ResNet3dSlowOnly + global path; see :class:`GlobalPath`."""


@MODELS.register_module()
class LGDResNet2Plus1d(GlobalPath, ResNet2Plus1d):
    """ResNet2Plus1d, R(2+1)D, + global path; see :class:`GlobalPath`.

    Its factors have another inner width than 2D kernels, so the stock class
    takes 3D checkpoints only (``pretrained2d=False``).
    """

    def __init__(self, *args, pretrained2d: bool = True, **kwargs) -> None:
        conv = kwargs.get('conv_cfg', {}).get('type')
        if pretrained2d or conv != 'Conv2plus1d':
            raise ConfigError(
                'LGDResNet2Plus1d takes no 2D weights and only its own '
                'convolution: set pretrained2d=False and '
                "conv_cfg=dict(type='Conv2plus1d')."
            )
        super().__init__(*args, pretrained2d=False, **kwargs)


@MODELS.register_module()
class LGDResNet3dCSN(GlobalPath, ResNet3dCSN):
    """ResNet3dCSN, channel-separated, + global path; see :class:`GlobalPath`.

    Its depthwise kernels do not take 2D weights either.
    """

    depths = (50, 101, 152)
