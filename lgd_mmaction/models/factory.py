"""Networks by name, as in timm: create_model and list_models."""

import difflib
import fnmatch
import os
from typing import Any

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.inflate import inflate_2d_weights, load_2d_state_dict
from lgd_mmaction.models.lgd_model import LGDModel
from lgd_mmaction.models.lgd_resnet3d import LGDResNet3d
from lgd_mmaction.models.weights import load_all, read_state_dict

MODELS: dict[str, dict[str, Any]] = {
    f'lgd{dims}d_r{depth}': dict(dims=dims, depth=depth)
    for dims in (2, 3)
    for depth in LGDResNet3d.depths
}

REMEDY = (
    'give the name and the arguments (num_classes, sketch_dim, ...) that it '
    'was trained with, or pretrained=... to take the backbone alone'
)


def list_models(pattern: str = '*') -> list[str]:
    """Names that :func:`create_model` takes; ``'lgd3d*'`` for some."""
    return fnmatch.filter(MODELS, pattern)


def create_model(
    name: str,
    num_classes: int = 400,
    checkpoint: str | os.PathLike | None = None,
    pretrained: bool | str | os.PathLike = False,
    **kwargs: Any,
) -> LGDModel:
    """Build an LGD network, from scratch or from weights.

    Args:
        name: One of :func:`list_models`, such as ``'lgd3d_r50'``.
        num_classes: K.
        checkpoint: Of the runner, or a saved state dict, of this whole
            network; classes and stage are its own.
        pretrained: Weights to start a training from: True for ImageNet's 2D
            weights of this depth (torchvision, downloaded), or a file or
            ``torchvision://`` name of 2D weights, or a checkpoint of this
            network with any classes, of which the backbone is taken.
        kwargs: Those of :class:`LGDModel`.

    Raises:
        ConfigError: An unknown name or a wrong argument.
        CheckpointError: Weights that are missing, unreadable or of another
            network.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, 1)
        hint = f'; did you mean {close[0]!r}?' if close else ''
        raise ConfigError(
            f'there is no model {name!r}{hint}; names: {", ".join(MODELS)}'
        )
    model = LGDModel(**MODELS[name], num_classes=num_classes, **kwargs)
    if pretrained is True:
        pretrained = f'torchvision://resnet{MODELS[name]["depth"]}'
    if pretrained:
        _load_backbone(model, os.fspath(pretrained))
    if checkpoint is not None:
        load_all(model, read_state_dict(checkpoint), str(checkpoint), REMEDY)
    return model


def _load_backbone(model: LGDModel, source: str) -> None:
    """Start from 2D weights, or from the backbone of an LGD checkpoint."""
    if os.path.isfile(source):
        state = {
            key.removeprefix('backbone.'): value
            for key, value in read_state_dict(source).items()
            if key.startswith('backbone.')
        }
        if any('.diffusion.' in key for key in state):
            return load_all(model.backbone, state, source, REMEDY)
    inflate_2d_weights(model.backbone, load_2d_state_dict(source), source)
