"""Networks, necks and heads; importing this registers them."""

from . import background_head
from .diffusion import LocalGlobalDiffusion, LowRankProjection
from .diffusion_neck import DiffusionNeck
from .kernelized_head import KernelizedHead
from .lgd_resnet3d import (
    LGDResNet2Plus1d,
    LGDResNet3d,
    LGDResNet3dCSN,
    LGDResNet3dSlowOnly,
)
from .pseudo3d import Pseudo3DConv
from .roi_features import RoIFeatures
from .tensor_sketch import TensorSketch

__all__ = [
    'DiffusionNeck',
    'KernelizedHead',
    'LGDResNet2Plus1d',
    'LGDResNet3d',
    'LGDResNet3dCSN',
    'LGDResNet3dSlowOnly',
    'LocalGlobalDiffusion',
    'LowRankProjection',
    'Pseudo3DConv',
    'RoIFeatures',
    'TensorSketch',
    'background_head',
]
