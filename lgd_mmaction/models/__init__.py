"""Networks, necks and heads; importing this registers them."""

from lgd_mmaction.models.diffusion import (
    LocalGlobalDiffusion,
    LowRankProjection,
)
from lgd_mmaction.models.diffusion_neck import DiffusionNeck, PooledPair
from lgd_mmaction.models.kernelized_head import KernelizedHead
from lgd_mmaction.models.lgd_resnet3d import (
    LGDResNet2Plus1d,
    LGDResNet3d,
    LGDResNet3dCSN,
    LGDResNet3dSlowOnly,
)
from lgd_mmaction.models.pseudo3d import Pseudo3DConv
from lgd_mmaction.models.roi import RoIFeatures
from lgd_mmaction.models.tensor_sketch import TensorSketch

__all__ = [
    'DiffusionNeck',
    'KernelizedHead',
    'LGDResNet2Plus1d',
    'LGDResNet3d',
    'LGDResNet3dCSN',
    'LGDResNet3dSlowOnly',
    'LocalGlobalDiffusion',
    'LowRankProjection',
    'PooledPair',
    'Pseudo3DConv',
    'RoIFeatures',
    'TensorSketch',
]
