"""Equations (3)-(6): the local and global combination classifier."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from torch import Tensor, nn

from lgd_mmaction.errors import CheckpointError, ConfigError
from lgd_mmaction.models.diffusion import pool
from lgd_mmaction.models.tensor_sketch import TensorSketch

FEATURES = ('local', 'global')
STAGES = (1, 2)
_EPS = 1e-8


@MODELS.register_module()
class KernelizedHead(BaseHead):
    r"""The paper's classifier on (x_L, g_L), for both stages of training.

    .. code-block:: text

        stage 1   x_L -> P ---> fc_local  --> softmax --+
                                                        mean --> scores
                  g_L --------> fc_global --> softmax --+

        stage 2   x_L -> phi -> mean --+
                                       concat -> fc_sketch --> softmax
                  g_L -> phi ----------+

    Stage 1 minimises (5), CE(W_x P(x_L), y) + CE(W_g g_L, y), and scores by
    the mean of both softmaxes. Stage 2 minimises (6), CE(W_c phi, y), with
    phi = [1/N sum_i phi(x_L^i), phi(g_L)] of (4). ``TwoStageHook`` switches
    in the course of one run. The stage is part of the state dict: a
    checkpoint is tested with the classifier that it was trained with. The
    other stage's classifiers get no gradient: DDP needs
    ``find_unused_parameters=True``.

    Everything is computed in float32, whatever autocast says: products of
    two features overflow half precision.

    Args:
        num_classes: K.
        in_channels: C_L, channels of x_L and of g_L.
        sketch_dim: D, length of phi.
        sketch_seed: Draws the hashes of phi.
        signed_sqrt_l2: Signed square root, then L2 normalisation of each part
            of (4), as the compact bilinear reference has it. Features of
            length 1 learn slowly: give fc_sketch a larger learning rate
            (``paramwise_cfg``).
        features: Which of ``'local'`` (x_L) and ``'global'`` (g_L) are used;
            both in the paper. One alone is for linear probes and ablations.
        stage: 1 or 2, until a checkpoint or a hook says otherwise.
        dropout_ratio: Dropout before whichever classifier is in use.
        init_std: Standard deviation of the normal start of all classifiers;
            ``init_cfg`` is another start.
        loss_cls: Config of the loss, applied to each classifier in use.
        topk, label_smooth_eps, average_clips: As in BaseHead. What is
            averaged under ``'score'`` are logits, in stage 1 with both
            features log probabilities.
        sketch_scale: Constant factor on phi, which acts like a learning rate
            of fc_sketch. None is C^(-1/2): features of root mean square 1
            then give phi a norm as long as theirs (E|phi(v)|^2 = |v|^4), so
            what suits the linear classifiers suits fc_sketch. 1 is (4) to
            the letter; |phi|^2 is then some 10^6 at C = 2048, and SGD at
            learning rate 0.01 diverges. Without effect under
            ``signed_sqrt_l2``.

    Shapes:
        Input (x_L, g_L): (N, C, T, H, W), or (N, C) and any positions after
        it, and (N, C, 1, 1, 1) or (N, C). Output: (N, K).

    Raises:
        ConfigError: Arguments out of range; input that is no pair, or has
            other channels than ``in_channels``.
        CheckpointError: A checkpoint with a stage other than 1 and 2.

    Source: Qiu et al., CVPR 2019, Sec. 3.2 and 4.3. Dropout, the common
    start of the classifiers and ``sketch_scale`` are this project's choices.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        sketch_dim: int = 8192,
        sketch_seed: int = 0,
        signed_sqrt_l2: bool = False,
        features: Sequence[str] = FEATURES,
        stage: int = 1,
        dropout_ratio: float = 0.5,
        init_std: float = 0.01,
        loss_cls: dict | None = None,
        topk: int | Sequence[int] = (1, 5),
        label_smooth_eps: float = 0.0,
        average_clips: str | None = 'prob',
        init_cfg: dict | list[dict] | None = None,
        sketch_scale: float | None = None,
    ) -> None:
        features = (features,) if isinstance(features, str) else features
        if not features or not set(features) <= set(FEATURES):
            raise ConfigError(
                f'features of KernelizedHead are {features!r}: use '
                "('local',), ('global',) or ('local', 'global')."
            )
        if not 0 <= dropout_ratio < 1:
            raise ConfigError(
                f'dropout_ratio of KernelizedHead is {dropout_ratio}: it is a'
                ' probability, 0 or more and below 1.'
            )
        if average_clips not in ('prob', 'score', None):
            raise ConfigError(
                f'average_clips of KernelizedHead is {average_clips!r}: use '
                "'prob', 'score' or None."
            )
        if init_cfg is None:
            init_cfg = dict(type='Normal', layer='Linear', std=init_std)
        super().__init__(
            num_classes=num_classes,
            in_channels=in_channels,
            loss_cls=loss_cls or dict(type='CrossEntropyLoss'),
            label_smooth_eps=label_smooth_eps,
            topk=topk if isinstance(topk, int) else tuple(topk),
            average_clips=average_clips,
            init_cfg=init_cfg,
        )
        # in the order of the pair
        self.features = tuple(name for name in FEATURES if name in features)
        self.signed_sqrt_l2 = signed_sqrt_l2
        self.sketch_scale = (
            in_channels**-0.5 if sketch_scale is None else sketch_scale
        )
        self.dropout = nn.Dropout(dropout_ratio)
        if 'local' in features:
            self.fc_local = nn.Linear(in_channels, num_classes)  # W_x
        if 'global' in features:
            self.fc_global = nn.Linear(in_channels, num_classes)  # W_g
        self.sketch = TensorSketch(in_channels, sketch_dim, sketch_seed)
        self.fc_sketch = nn.Linear(  # W_c
            sketch_dim * len(features), num_classes
        )
        self.register_buffer('stage', torch.tensor(1))
        self.set_stage(stage)

    def set_stage(self, stage: int) -> None:
        """Use the classifiers of this stage, 1 or 2, from now on."""
        if stage not in STAGES:
            raise ConfigError(f'stage of KernelizedHead is {stage!r}: 1 or 2.')
        self.stage.fill_(stage)
        # the same as a number: reading the buffer would wait for the GPU
        self.active_stage = stage

    def logits(self, feats: Any) -> dict[str, Tensor]:
        """(x_L, g_L) -> what every classifier of this stage says, by name.

        Stage 1: ``local`` and / or ``global``; stage 2: ``cls``; each (N, K),
        float32.
        """
        pair = self._checked_input(feats)
        device = pair[self.features[0]].device.type
        with torch.autocast(device, enabled=False):
            if self.active_stage == 2:
                phi = [self._phi(pair[name]) for name in self.features]
                # (4), (N, 2 D)
                return {'cls': self._classify('sketch', torch.cat(phi, 1))}
            return {
                # a vector (N, C) has one position
                name: self._classify(name, pool(x[..., None]).flatten(1))
                for name, x in pair.items()
            }

    def forward(self, x: Any, **kwargs) -> Tensor:
        """(x_L, g_L) -> scores (N, K), the softmax of which are the answer.

        Stage 1 with both features gives the logarithm of the mean of both
        softmaxes, so that the stock averaging over clips applies to it.
        """
        return _combined(self.logits(x))

    def loss(self, feats: Any, data_samples: list, **kwargs) -> dict:
        """Loss (5) or (6), and the top-k accuracies of the scores.

        ``gt_label`` of the N samples is a class index, or K probabilities
        (mixup, cutmix).

        Returns:
            ``loss_local`` and ``loss_global`` in stage 1, ``loss_cls`` in
            stage 2, ``top{k}_acc`` where labels are class indices.
        """
        logits = self.logits(feats)
        scores = _combined(logits)
        labels = torch.stack([s.gt_label for s in data_samples])
        labels = labels.to(scores.device)  # (N, 1) or (N, K)
        losses = {}
        if labels.size(1) == 1:
            labels = labels.squeeze(1)  # (N,)
            top = scores.topk(min(max(self.topk), self.num_classes)).indices
            hit = top == labels[:, None]  # (N, k)
            for k in self.topk:
                losses[f'top{k}_acc'] = hit[:, :k].any(1).float().mean()
        if eps := self.label_smooth_eps:
            if labels.dim() == 1:
                labels = F.one_hot(labels, self.num_classes)
            labels = (1 - eps) * labels + eps / self.num_classes
        for name, z in logits.items():
            loss = self.loss_cls(z, labels)
            if not isinstance(loss, dict):
                losses[f'loss_{name}'] = loss
                continue
            end = '' if name == 'cls' else f'_{name}'
            losses |= {key + end: value for key, value in loss.items()}
        return losses

    def _phi(self, x: Tensor) -> Tensor:
        """One part of (4), (N, C, *positions) -> (N, D)."""
        phi = self.sketch(x)
        if not self.signed_sqrt_l2:
            return phi * self.sketch_scale
        # sign(phi) sqrt|phi|, with a finite slope at 0
        phi = phi * (phi.abs() + _EPS).rsqrt()
        return F.normalize(phi, dim=1, eps=_EPS)

    def _classify(self, name: str, x: Tensor) -> Tensor:
        """(N, C or D) -> (N, K) in float32 or better."""
        fc = getattr(self, f'fc_{name}')
        x = self.dropout(x)
        return F.linear(x, fc.weight.to(x.dtype), fc.bias.to(x.dtype))

    def _checked_input(self, feats: Any) -> dict[str, Tensor]:
        """The features in use by name, in float32 or better."""
        while isinstance(feats, tuple | list) and len(feats) == 1:
            feats = feats[0]  # the pairs of one out_indices
        if isinstance(feats, Tensor):
            if self.features != ('local',):
                raise ConfigError(
                    'KernelizedHead got one feature map, but needs the pair '
                    '(x_L, g_L): use an LGD backbone with diffusion=dict(...)'
                    ' or add neck=dict(type="DiffusionNeck", ...), or set '
                    'features=("local",) in the head.'
                )
            feats = (feats,)
        elif not (
            isinstance(feats, tuple | list)
            and len(feats) == 2
            and all(isinstance(f, Tensor) for f in feats)
            and feats[1].shape[2:].numel() == 1
        ):
            raise ConfigError(
                'KernelizedHead needs one pair (x_L, g_L), g_L of shape '
                f'(N, C, 1, 1, 1), and got {_described(feats)}: let an LGD '
                'backbone or DiffusionNeck return its last stage only, as '
                'out_indices=(3,) does.'
            )
        used = {}
        for name, x in zip(FEATURES, feats, strict=False):
            if name not in self.features:
                continue
            if x.size(1) != self.in_channels:
                raise ConfigError(
                    f'the {name} feature of the backbone or neck has '
                    f'{x.size(1)} channels and KernelizedHead was built for '
                    f'{self.in_channels}: set cls_head.in_channels='
                    f'{x.size(1)}.'
                )
            used[name] = x.to(torch.promote_types(x.dtype, torch.float32))
        return used

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        """Take over the stage, if the classifiers of that stage fit too.

        They do not where a checkpoint starts a training with other classes
        or features; the stage then stays what the config says.
        """
        stage = self.active_stage
        saved = state_dict.get(prefix + 'stage')
        if saved is not None:
            if saved.numel() != 1 or saved.item() not in STAGES:
                raise CheckpointError(
                    f'the checkpoint says that KernelizedHead ({prefix}stage)'
                    f' is in stage {saved.tolist()}, but there are only 1 and'
                    ' 2: it comes from another head or is damaged; load it '
                    'into the head that it was trained with.'
                )
            names = ('sketch',) if saved.item() == 2 else self.features
            keys = [f'fc_{name}.weight' for name in names]
            own = self.state_dict()
            if all(
                prefix + key in state_dict
                and state_dict[prefix + key].shape == own[key].shape
                for key in keys
            ):
                stage = int(saved)
        super()._load_from_state_dict(state_dict, prefix, *args)
        self.set_stage(stage)


def _combined(logits: dict[str, Tensor]) -> Tensor:
    """One classifier: its logits; two: log of the mean of both softmaxes."""
    if len(logits) == 1:
        return next(iter(logits.values()))
    log_probs = torch.stack([F.log_softmax(z, 1) for z in logits.values()])
    # log(1/M sum_m p_m), without leaving logarithms
    return log_probs.logsumexp(0) - math.log(len(logits))


def _described(feats: Any) -> str:
    """The nesting of a wrong input, in words."""
    if isinstance(feats, tuple | list):
        return f'[{", ".join(_described(f) for f in feats)}]'
    if isinstance(feats, Tensor):
        return f'a tensor of shape {tuple(feats.shape)}'
    return type(feats).__name__
