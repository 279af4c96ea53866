"""The networks and heads that the study compares.

All are one small stock ResNet3d (stem 1x3x3 of stride 2, then residual units
of two pseudo-3D convolutions, 16 channels), plain or with one thing added.
"""

from typing import Any

import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from torch import Tensor, nn

import lgd_mmaction  # noqa: F401  (registers the networks)
from lgd_tools.study.task import CLASSES

WIDTH, UNITS = 16, 3
# Inner width 4. The paper's 16 would leave 1 of 16 channels; of its own 256
# to 2048 it leaves 16 to 128.
REDUCTION = 4


def _diffusion(form: str) -> dict:
    return dict(diffusion=dict(form=form, reduction=REDUCTION))


# name -> (what is said of it, changes of the plain backbone)
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    'plain': ('plain', {}),
    'lgd': ('LGD', _diffusion('both')),
    'global_to_local': ('only global to local', _diffusion('global_to_local')),
    'local_to_global': ('only local to global', _diffusion('local_to_global')),
    'multiplicative': ('multiplicative', _diffusion('multiplicative')),
    'wide': ('plain, 24 channels', dict(base_channels=24)),
    'deep': ('plain, 5 units', dict(stage_blocks=(5,))),
    'non_local': (
        'one non-local block',
        dict(
            non_local=((0, 1, 0),),
            non_local_cfg=dict(
                sub_sample=True, use_scale=True, norm_cfg=dict(type='BN3d')
            ),
        ),
    ),
    'squeeze': ('squeeze and excitation', {}),
    'neck': ('plain, DiffusionNeck', {}),
}
LOCAL = dict(features=('local',))
# name -> (what is said of it, arguments of KernelizedHead)
HEADS: dict[str, tuple[str, dict[str, Any]]] = {
    'local': ('linear on P(x)', LOCAL),
    'global': ('linear on g', dict(features=('global',))),
    'both': ('mean of both linear', {}),
    'kernel': ('kernelized from the start', dict(stage=2)),
    'two_stage': ('linear, then kernelized', {}),
    'kernel_local': ('kernelized from the start', dict(stage=2, **LOCAL)),
    'two_stage_local': ('linear, then kernelized', LOCAL),
}


class Network(nn.Module):
    """Backbone, neck and head; clips (N, 3, T, H, W) -> the head's logits."""

    def __init__(self, backbone: nn.Module, neck: Any, head: Any) -> None:
        super().__init__()
        self.backbone, self.neck, self.head = backbone, neck, head

    def features(self, clips: Tensor) -> Any:
        maps = self.backbone(clips)
        return self.neck(maps)[0] if self.neck else maps

    def loss(self, clips: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Loss (5) or (6), and how many are right."""
        logits = self.head.logits(self.features(clips))
        loss = sum(F.cross_entropy(z, labels) for z in logits.values())
        scores = sum(z.detach().softmax(1) for z in logits.values())
        return loss, (scores.argmax(1) == labels).sum()

    def body_parameters(self) -> int:
        """Parameters without the head's."""
        every = sum(p.numel() for p in self.parameters())
        return every - sum(p.numel() for p in self.head.parameters())

    def forward(self, clips: Tensor) -> Tensor:
        """The scores of the head, (N, CLASSES)."""
        return self.head(self.features(clips))


def backbone_config(network: str) -> dict[str, Any]:
    """The config of a network's backbone."""
    plain = dict(
        type='LGDResNet3d',
        depth=18,  # basic units; stage_blocks says how many
        num_stages=1,
        stage_blocks=(UNITS,),
        base_channels=WIDTH,
        out_indices=(0,),
        spatial_strides=(1,),
        temporal_strides=(1,),
        dilations=(1,),
        inflate=(1,),
        inflate_style='3x3x3',
        conv1_kernel=(1, 3, 3),
        with_pool1=False,
        with_pool2=False,
        pseudo3d='A',
        temporal_start='random',
        zero_init_residual=False,
        pretrained=None,
        channels_last=True,
        diffusion=None,
        non_local=(0,),
    )
    return plain | NETWORKS[network][1]


def build(network: str, head: str) -> Network:
    """A network of NETWORKS with a head of HEADS, weights drawn anew."""
    MMLogger.get_current_instance().setLevel('WARNING')
    config = backbone_config(network)
    channels = config['base_channels']
    backbone = MODELS.build(config)
    neck = None
    if network == 'neck':
        size = dict(in_channels=channels, reduction=REDUCTION)
        neck = MODELS.build(dict(type='DiffusionNeck', **size))
        neck.init_weights()
    classifier = MODELS.build(
        dict(
            type='KernelizedHead',
            num_classes=CLASSES,
            in_channels=channels,
            sketch_dim=512,
            dropout_ratio=0.0,
            **HEADS[head][1],
        )
    )
    backbone.init_weights()
    classifier.init_weights()
    if network == 'squeeze':
        # mmaction.models imports once lgd_mmaction has mended it
        from mmaction.models.backbones.x3d import SEModule

        for unit in backbone.residual_units():
            gate = SEModule(channels, 1 / REDUCTION)
            unit.conv2 = nn.Sequential(unit.conv2, gate)
    return Network(backbone, neck, classifier)


# ------------------------------------------------------------ what is seen
def receptive_field(network: str) -> int:
    """Pixels, along a row, that one position of x_L sees by convolutions.

    1 + the sum over convolutions of (k - 1) times the stride before it: stem
    of stride 2, then two 3x3 of stride 1 in every unit. Two pixels with d
    others between them are seen together only if d <= receptive_field - 2.
    What a global path, a gate or attention adds is not counted. Where no
    position sees both objects, the scores of a plain network are a sum over
    the objects, and the best it can do on the study's question is to guess.
    """
    units = backbone_config(network)['stage_blocks'][0]
    return 1 + 2 * (1 + 2 * 2 * units)
