"""Necks: a global path beside any stock backbone; both paths, pooled."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.diffusion import (
    LocalGlobalDiffusion,
    LowRankProjection,
    pool,
)


@MODELS.register_module()
class DiffusionNeck(BaseModule):
    r"""Runs (1) and (2) along the maps that a stock backbone returns.

    .. code-block:: text

        backbone maps     m_1 ----------> m_2 ---------> ... m_S
                           | (1),(2)       | (1),(2)          | (1),(2)
        g_0 = P(m_1) ---> g_1 ----------> g_2 ---------> ... g_L

    The maps stand for F_l of equation (1): m_s for the first block of stage
    s, the block's own x for those after it. The backbone and its checkpoint
    stay untouched, and since W^{x,g} starts at zero, x_L is at step 0 the
    backbone's last map.

    Args:
        in_channels: Channels of the one map, or of each map, in order.
        num_blocks: L, the LGD blocks on the map; with several maps, on each
            (an int, or one for each map).
        form: As in
            :class:`~lgd_mmaction.models.diffusion.LocalGlobalDiffusion`.
        reduction: C_l / width of the low-rank projections.
        relu_local: Whether the ReLU of (1) is applied. Off by default: the
            maps of transformers are signed, and those of ResNets have
            passed a ReLU already.
        init_cfg: As in mmengine's BaseModule.

    Shapes (forward):
        One (N, C, T, H, W), or a sequence of them -> (x_L, g_L), an empty
        dict of auxiliary losses; x_L (N, C, T, H, W), g_L (N, C, 1, 1, 1).
        Of a map that comes with a class token (MViT), the map is taken.

    Raises:
        ConfigError: Arguments that do not fit one another or the maps.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        num_blocks: int | Sequence[int] = 1,
        form: str = 'both',
        reduction: int = 16,
        relu_local: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if isinstance(in_channels, int):
            in_channels = (in_channels,)
        if isinstance(num_blocks, int):
            num_blocks = (num_blocks,) * len(in_channels)
        if len(num_blocks) != len(in_channels) or min(num_blocks) < 1:
            raise ConfigError(
                f'num_blocks={tuple(num_blocks)} does not fit in_channels='
                f'{tuple(in_channels)}: give one number of 1 or more for '
                'each map, or a single one.'
            )
        self.in_channels = tuple(in_channels)
        self.relu_local = relu_local
        self.stages = nn.ModuleList()
        previous = in_channels[0]  # g_0 = P(m_1)
        for channels, blocks in zip(in_channels, num_blocks, strict=True):
            stage = nn.ModuleList()
            for _ in range(blocks):
                stage.append(
                    LocalGlobalDiffusion(previous, channels, form, reduction)
                )
                previous = channels
            self.stages.append(stage)

    def init_weights(self) -> None:
        """Draw the projections anew, W^{x,g} as zero."""
        super().init_weights()
        for module in self.modules():
            if isinstance(module, LowRankProjection):
                module.reset_parameters()

    def forward(
        self,
        x: Tensor | Sequence[Tensor],
        data_samples: list | None = None,
        **kwargs,  # the recognizer's; a neck without losses needs none
    ) -> tuple[tuple[Tensor, Tensor], dict]:
        maps = self._maps(x)
        g = pool(maps[0])  # (N, C_1, 1, 1, 1)
        stage: Any  # a ModuleList of LocalGlobalDiffusion
        for f, stage in zip(maps, self.stages, strict=True):
            for block in stage:
                f = block.diffuse_to_local(f, g)  # (1), (N, C_s, T, H, W)
                if self.relu_local:
                    f = F.relu(f)
                g = block.diffuse_to_global(f, g)  # (2), (N, C_s, 1, 1, 1)
        return (f, g), dict()

    def _maps(self, x: Tensor | Sequence[Tensor]) -> list[Tensor]:
        maps = [x] if isinstance(x, Tensor) else list(x)
        # MViT: [map, class token]
        maps = [m if isinstance(m, Tensor) else m[0] for m in maps]
        shapes = [tuple(m.shape) for m in maps]
        if any(len(shape) != 5 for shape in shapes):
            raise ConfigError(
                f'DiffusionNeck takes maps (N, C, T, H, W), the backbone '
                f'returns {shapes}: choose a backbone for Recognizer3D.'
            )
        channels = tuple(shape[1] for shape in shapes)
        if channels != self.in_channels:
            raise ConfigError(
                f'the backbone returns maps of {channels} channels, '
                f'neck.in_channels is {self.in_channels}: set in_channels='
                f'{channels[0] if len(channels) == 1 else channels}.'
            )
        return maps


@MODELS.register_module()
class PooledPair(BaseModule):
    """A neck: (x_L, g_L) -> [P(x_L), g_L], (N, 2 C).

    ``clip_feature_extraction.py`` of MMAction2 takes no pair; with
    ``--cfg-options model.neck.type=PooledPair`` it writes these vectors: the
    first half is the local path, the second the global one.
    """

    def forward(
        self, pair: tuple[Tensor, Tensor], data_samples: list | None = None
    ) -> tuple[Tensor, dict]:
        x, g = pair
        return torch.cat([pool(x), g], 1).flatten(1), {}
