"""LGD-2D and LGD-3D as a plain nn.Module: clip in, logits out."""

import torch
import torch.nn.functional as F
from mmengine.model import initialize
from torch import Tensor, nn

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.hub import HubMixin
from lgd_mmaction.models.kernelized_head import KernelizedHead
from lgd_mmaction.models.lgd_resnet3d import LGDResNet3d

# mean and standard deviation of ImageNet's colours, and those of flow
RGB = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
FLOW = ((128.0, 128.0), (128.0, 128.0))


def separate_loss(outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Loss (5), of stage 1: CE(W_x P(x_L), y) + CE(W_g g_L, y).

    Args:
        outputs: ``local`` and ``global``, (N, K) each, from
            ``model(clip, each=True)``.
        labels: (N,) class indices, or (N, K) probabilities.
    """
    local = F.cross_entropy(outputs['local'], labels)
    return local + F.cross_entropy(outputs['global'], labels)


def joint_loss(outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Loss (6), of stage 2: CE(W_c phi({x_L, g_L}), y).

    Args:
        outputs: ``cls``, (N, K), from ``model(clip, each=True)``.
        labels: (N,) class indices, or (N, K) probabilities.
    """
    return F.cross_entropy(outputs['cls'], labels)


class LGDModel(nn.Module, HubMixin):
    r"""An LGD network for anybody's training loop.

    .. code-block:: python

        model = create_model('lgd3d_r50', num_classes=101, pretrained=True)
        loss = separate_loss(model(clip, each=True), labels)  # stage 1
        model.set_stage(2)
        loss = joint_loss(model(clip, each=True), labels)  # stage 2
        scores = model(clip).softmax(1)

    Backbone and head, and so the names of the parameters, are those of the
    configs: checkpoints of the runner load into it.

    Args:
        dims: 2 for LGD-2D (1 x k x k kernels), 3 for LGD-3D (pseudo-3D).
        depth: Of the ResNet: 18, 34, 50, 101 or 152.
        num_classes: K.
        in_channels: 3 for RGB, 2 for optical flow.
        base_channels: Width of the first stage.
        pseudo3d: Kinds of the factorised convolutions of LGD-3D, ``'A'``,
            ``'B'``, ``'C'`` or a cycle such as ``'ABC'``.
        form: Of the diffusion, see ``LocalGlobalDiffusion``.
        temporal_start: ``'identity'`` for 2D weights, ``'random'`` from
            scratch, see ``GlobalPath``.
        channels_last: Compute in channels_last_3d.
        sketch_dim: D of equation (4).
        dropout: Before the classifiers.
        stage: 1 or 2: loss (5) or (6). A checkpoint brings its own.

    Raises:
        ConfigError: An argument out of range, or a clip of another shape.

    Source: Qiu et al., CVPR 2019.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        dims: int = 3,
        depth: int = 50,
        num_classes: int = 400,
        in_channels: int = 3,
        base_channels: int = 64,
        pseudo3d: str = 'A',
        form: str = 'both',
        temporal_start: str = 'identity',
        channels_last: bool = False,
        sketch_dim: int = 8192,
        dropout: float = 0.5,
        stage: int = 1,
    ) -> None:
        super().__init__()
        for name, value in (('dims', dims), ('in_channels', in_channels)):
            if value not in (2, 3):
                raise ConfigError(f'{name} of LGDModel is {value!r}: 2 or 3')
        if num_classes < 1:
            raise ConfigError(
                f'num_classes of LGDModel is {num_classes}: 1 or more'
            )
        factorised = dict(
            pseudo3d=pseudo3d,
            inflate=(1, 1, 1, 1),
            inflate_style='3x3x3',
            temporal_strides=(1, 2, 2, 2),
        )
        self.backbone = LGDResNet3d(
            depth=depth,
            in_channels=in_channels,
            base_channels=base_channels,
            conv1_kernel=(1, 7, 7),
            with_pool2=False,
            diffusion=dict(form=form),
            temporal_start=temporal_start,
            channels_last=channels_last,
            **(factorised if dims == 3 else dict(inflate=(0, 0, 0, 0))),
        )
        self.cls_head = KernelizedHead(
            num_classes,
            self.backbone.feat_dim,
            sketch_dim=sketch_dim,
            dropout_ratio=dropout,
            stage=stage,
        )
        self.backbone.init_weights()
        # not head.init_weights(), which prints every layer
        initialize(self.cls_head, self.cls_head.init_cfg)
        colours = torch.tensor(RGB if in_channels == 3 else FLOW)  # (2, C)
        for name, values in zip(('mean', 'std'), colours, strict=True):
            values = values.view(1, -1, 1, 1, 1)
            self.register_buffer(name, values, persistent=False)

    @property
    def stage(self) -> int:
        """1 or 2, the stage of training: which classifiers are used."""
        return self.cls_head.active_stage

    def set_stage(self, stage: int) -> None:
        """Use the classifiers of stage 1 or of stage 2 from now on."""
        self.cls_head.set_stage(stage)

    def forward_features(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Both paths at the end of the last unit.

        Args:
            clip: (N, C, T, H, W); uint8 of 0 .. 255, which is normalised
                here, or floating point that is already.

        Returns:
            x_L (N, C_L, T', H', W') and g_L (N, C_L, 1, 1, 1).
        """
        channels = self.mean.size(1)
        if clip.dim() != 5 or clip.size(1) != channels:
            raise ConfigError(
                f'the clip has shape {tuple(clip.shape)}: it must be '
                f'(N, {channels}, T, H, W)'
            )
        if not clip.is_floating_point():
            clip = (clip.to(self.mean.dtype) - self.mean) / self.std
        return self.backbone(clip)

    def forward(
        self, clip: Tensor, each: bool = False
    ) -> Tensor | dict[str, Tensor]:
        """The logits (N, K) of a clip, as in :meth:`forward_features`.

        In stage 1 they are the logarithm of the mean of both softmaxes. With
        ``each``, the output of every classifier of this stage, which the
        losses take: ``local`` and ``global``, or ``cls``.
        """
        pair = self.forward_features(clip)
        return self.cls_head.logits(pair) if each else self.cls_head(pair)
