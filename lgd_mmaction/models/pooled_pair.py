"""One vector a clip out of both paths, for stock feature extraction."""

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from lgd_mmaction.models.diffusion import pool


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
