"""The networks that bench_train_step compares, behind one interface.

Ours and MMAction2's come from configs, the others from their own libraries,
each with random weights and 400 classes. Nothing is downloaded.
"""

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.model import revert_sync_batchnorm
from torch import Tensor, nn

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.kernelized_head import KernelizedHead
from lgd_mmaction.models.lgd_resnet3d import GlobalPath

CLASSES = 400


@dataclass
class Network:
    """A name, a whole network, and the part of it that is compiled.

    ``model`` takes clips (N, 3, T, H, W) and labels (N,) and returns the
    loss; without labels, one score for every class and clip.
    """

    name: str
    model: nn.Module
    backbone: nn.Module


class RecognizerAdapter(nn.Module):
    """An MMAction2 recognizer as :class:`Network` wants it."""

    def __init__(self, recognizer: nn.Module) -> None:
        super().__init__()
        self.recognizer = recognizer

    def forward(self, clips: Tensor, labels: Tensor | None = None) -> Tensor:
        samples = [ActionDataSample() for _ in clips]
        clips = clips[:, None]  # one clip a video
        if labels is None:
            found = self.recognizer(clips, samples, mode='predict')
            return torch.stack([s.pred_score for s in found])
        for sample, label in zip(samples, labels, strict=True):
            sample.set_gt_label(label)
        losses = self.recognizer(clips, samples, mode='loss')
        return sum(v for k, v in losses.items() if 'loss' in k)


class ClassifierAdapter(nn.Module):
    """A network that returns logits as :class:`Network` wants it."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, clips: Tensor, labels: Tensor | None = None) -> Tensor:
        logits = self.classifier(clips)
        if labels is None:
            return logits.softmax(-1)
        return F.cross_entropy(logits, labels)


@MODELS.register_module()
def TwoConv3d(*args, **kwargs) -> nn.Module:
    """A Conv3d; 1 x k x k and kt x 1 x 1 ones where it has both extents.

    Pseudo-3D kind A as it is written with nothing but the stock ResNet3d and
    ``conv_cfg=dict(type='TwoConv3d')``.
    """
    conv = nn.Conv3d(*args, **kwargs)
    (kt, *k), (st, *s) = conv.kernel_size, conv.stride
    if kt == 1 or k == [1, 1]:
        return conv
    (pt, *p), (dt, *d) = conv.padding, conv.dilation
    channels, bias = conv.out_channels, conv.bias is not None
    spatial = nn.Conv3d(
        conv.in_channels, channels, (1, *k), (1, *s), (0, *p), (1, *d),
        conv.groups, bias,
    )  # fmt: skip
    temporal = nn.Conv3d(
        channels, channels, (kt, 1, 1), (st, 1, 1), (pt, 0, 0), (dt, 1, 1),
        conv.groups, bias,
    )  # fmt: skip
    both = nn.Sequential(spatial, temporal)
    # what mmcv's ConvModule reads of its convolution
    for name in (
        *('in_channels', 'out_channels', 'kernel_size', 'stride', 'padding'),
        *('dilation', 'groups', 'transposed', 'output_padding'),
    ):
        setattr(both, name, getattr(conv, name))
    return both


def stock_code(backbone: dict) -> dict:
    """The config of a plain network of ours for the stock ResNet3d."""
    if backbone.get('diffusion', {}) is not None or backbone.pseudo3d != 'A':
        raise ConfigError(
            'stock: takes a config with diffusion=None and pseudo3d="A", '
            'such as configs/plain_3d_r50_k400.py.'
        )
    ours = ('diffusion', 'pseudo3d', 'temporal_start', 'channels_last')
    stock = {k: v for k, v in backbone.items() if k not in ours}
    return {**stock, 'type': 'ResNet3d', 'conv_cfg': dict(type='TwoConv3d')}


def of_config(source: str, channels_last: bool | None) -> list[Network]:
    """The recognizer of a config, once for each stage of its head."""
    path = source.removeprefix('stock:')
    read = get_config if '::' in path else Config.fromfile
    cfg = read(path).model
    cfg.backbone.pretrained = None
    name = Path(path).stem.split('_8xb')[0]
    if source != path:
        cfg.backbone = stock_code(cfg.backbone)
        name += ', stock code'
    ours = issubclass(MODELS.get(cfg.backbone.type), GlobalPath)
    if ours and channels_last is not None:
        cfg.backbone.channels_last = channels_last
    networks = []
    two_stages = cfg.cls_head.type == KernelizedHead.__name__
    for stage in (1, 2) if two_stages else (None,):
        # BN of several GPUs, as R(2+1)D has it, needs a process group
        model = revert_sync_batchnorm(MODELS.build(cfg))
        model.init_weights()
        if stage:
            model.cls_head.set_stage(stage)
        if channels_last and not ours:
            to_channels_last(model.backbone)
        title = f'{name}, stage {stage}' if stage else name
        networks.append(
            Network(title, RecognizerAdapter(model), model.backbone)
        )
    return networks


def of_library(
    source: str, channels_last: bool | None, frames: int, size: int
) -> list[Network]:
    """A network of torchvision or PyTorchVideo; none if not installed."""
    library, _, name = source.partition(':')
    needed = {library, 'torchvision'}  # PyTorchVideo imports it
    if not all(map(importlib.util.find_spec, needed)):
        return []
    if library == 'torchvision':
        from torchvision.models import video

        model = getattr(video, name)(num_classes=CLASSES)
    else:
        from pytorchvideo.models.r2plus1d import create_r2plus1d

        # depth 50; the head averages what strides of 4 and 32 leave
        side = math.ceil(size / 32)
        model = create_r2plus1d(
            model_num_class=CLASSES,
            head_pool_kernel_size=(math.ceil(frames / 4), side, side),
        )
    if channels_last:
        to_channels_last(model)
    title = f'{name} ({library})'
    return [Network(title, ClassifierAdapter(model), model)]


def build(
    source: str, channels_last: bool | None, frames: int, size: int
) -> list[Network]:
    """The networks behind one name of the command line.

    Args:
        source: A config, ``mmaction::`` ones of the host too;
            ``stock:CONFIG``; ``torchvision:r2plus1d_18`` or another of its
            video networks; ``pytorchvideo:r2plus1d_r50``. Any of them behind
            ``channels_last:`` or ``contiguous:``.
        channels_last: The layout; ``None`` leaves what the code has.
        frames, size: Of a clip.

    Returns:
        One network, two for a head with stages, or none where the library
        is not installed.
    """
    path = source
    for prefix, wanted in (('channels_last:', True), ('contiguous:', False)):
        if source.startswith(prefix):
            path, channels_last = source.removeprefix(prefix), wanted
    if path.startswith(('torchvision:', 'pytorchvideo:')):
        networks = of_library(path, channels_last, frames, size)
    else:
        networks = of_config(path, channels_last)
    for network in networks:
        if path != source:
            network.name += (
                ', channels-last' if channels_last else ', contiguous'
            )
    return networks


def to_channels_last(network: nn.Module) -> None:
    """Weights and input in channels_last_3d, as a user of it would do."""
    layout = torch.channels_last_3d
    network.to(memory_format=layout)
    network.register_forward_pre_hook(
        lambda _, inputs: (inputs[0].to(memory_format=layout),)
    )
