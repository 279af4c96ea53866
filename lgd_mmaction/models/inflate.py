"""2D image weights into the ResNet3d family, factorised kernels included."""

import pickle
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmcv.cnn import ConvModule
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn

from lgd_mmaction.errors import CheckpointError
from lgd_mmaction.models.pseudo3d import Pseudo3DConv
from lgd_mmaction.models.weights import weights_in
from lgd_mmaction.pickles import load_weights


def load_2d_state_dict(path: str) -> dict[str, Tensor]:
    """Load the weights of a 2D ResNet under torchvision's names.

    Args:
        path: ``torchvision://resnet50``, a URL, or a local file. The names
            may carry a prefix (``backbone.`` of mmpretrain, ``module.`` of
            DDP, ``model.`` ...): what stands before the stem's
            ``conv1.weight`` is taken off, and only names with it are kept.

    Returns:
        Names such as ``layer1.0.conv1.weight``, tensors on the CPU.

    Raises:
        CheckpointError: The file is missing or unreadable, or holds no
            ResNet.
    """
    state = weights_in(_read(path), 'state_dict', 'model', 'state_dict_ema')
    stems = [k for k in state if f'.{k}'.endswith('.conv1.weight')]
    if not stems:
        raise CheckpointError(
            f'{path} holds no 2D ResNet (no conv1.weight): give the weights '
            'of a torchvision, timm or mmpretrain ResNet, or set '
            'pretrained2d=False for a 3D checkpoint.'
        )
    prefix = min(stems, key=len).removesuffix('conv1.weight')
    return {
        k.removeprefix(prefix): v
        for k, v in state.items()
        if k.startswith(prefix)
    }


def _read(path: str) -> Any:
    if path.startswith('torchvision://'):
        path = _torchvision_url(path)
    try:
        if '://' not in path:
            return load_weights(path)  # a file of weights never runs code
        return _load_checkpoint(path, map_location='cpu')
    except CheckpointError as e:
        raise CheckpointError(f'pretrained weights: {e}') from e
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as e:
        raise CheckpointError(
            f'pretrained weights {path} cannot be read '
            f'({type(e).__name__}): download or save the file again.'
        ) from e


def _torchvision_url(path: str) -> str:
    """The address behind ``torchvision://NAME``.

    mmengine asks torchvision itself, only to read a table that it carries
    along; the table serves where torchvision is not installed.
    """
    name = path.removeprefix('torchvision://')
    hub = Path(mmengine.__file__).with_name('hub')
    urls = mmengine.load(hub / 'torchvision_0.12.json')
    if name not in urls:
        known = ', '.join(sorted(k for k in urls if k.startswith('resnet')))
        raise CheckpointError(
            f'{path} is no model of torchvision: known ResNets are {known}.'
        )
    return urls[name]


@torch.no_grad()
def inflate_2d_weights(
    backbone: nn.Module, state: dict[str, Tensor], source: str
) -> None:
    """Copy the weights of a 2D ResNet into a 3D one, in place.

    A kernel with one frame takes the 2D kernel as it is; one with kt frames
    takes it kt times, divided by kt (I3D); a Pseudo3DConv takes it as its
    spatial factor and an identity in time. A stem whose number of input
    channels differs (optical flow: 2) takes the mean over colour in each.

    Args:
        backbone: A network of the ResNet3d family.
        state: From :func:`load_2d_state_dict`.
        source: Where the weights come from, for messages.

    Raises:
        CheckpointError: A layer of the network is not among the weights, or
            of another shape, or they hold blocks that it lacks.
    """
    used = set()
    for name, module in backbone.named_modules():
        if not isinstance(module, ConvModule) or 'non_local' in name:
            continue
        # torchvision numbers the two layers of a downsample
        if name.endswith('downsample'):
            conv_name, norm_name = f'{name}.0', f'{name}.1'
        else:
            conv_name, norm_name = name, name.replace('conv', 'bn')
        weight = state.get(f'{conv_name}.weight')
        if weight is None:
            raise CheckpointError(
                f'{source} has no weight for {conv_name} of this backbone: '
                'choose weights of a ResNet of the same depth and block.'
            )
        _inflate_conv(module.conv, weight, conv_name, source)
        used.add(f'{conv_name}.weight')
        for key, value in module.norm.state_dict().items():
            full = f'{norm_name}.{key}'
            if full in state:
                _check_shape(source, full, state[full], value, value.shape)
                value.copy_(state[full])
                used.add(full)
            elif key != 'num_batches_tracked':
                raise CheckpointError(
                    f'{source} has no {full}: the weights of a ResNet with '
                    'batch norm are needed.'
                )
    blocks: Any = backbone.stage_blocks  # units of each stage
    stages = tuple(f'layer{i + 1}.' for i in range(len(blocks)))
    extra = [k for k in state if k not in used and k.startswith(stages)]
    if extra:
        raise CheckpointError(
            f'{source} also holds {extra[0]} and {len(extra) - 1} more that '
            'this backbone lacks: its depth is another, set backbone.depth '
            'or other weights.'
        )


def _inflate_conv(
    conv: nn.Module, weight: Tensor, name: str, source: str
) -> None:
    spatial = conv.spatial if isinstance(conv, Pseudo3DConv) else conv
    if not isinstance(spatial, nn.Conv3d):
        raise CheckpointError(
            f'{name} is a {type(conv).__name__}, which 2D weights do not fit '
            f'({source}): set pretrained2d=False and a 3D checkpoint, or '
            'pretrained=None.'
        )
    target = spatial.weight  # (C_out, C_in, kt, k, k)
    is_stem = name == 'conv1' and weight.ndim == 4
    if is_stem and weight.shape[1] != target.shape[1]:
        weight = weight.mean(dim=1, keepdim=True)
        weight = weight.expand(-1, target.shape[1], -1, -1)
    fitting = target.shape[:2] + target.shape[3:]
    _check_shape(source, name, weight, target, fitting)
    target.copy_(weight.unsqueeze(2).expand_as(target) / target.shape[2])
    if isinstance(conv, Pseudo3DConv):
        conv.reset_temporal()


def _check_shape(
    source: str, name: str, weight: Tensor, own: Tensor, fitting: torch.Size
) -> None:
    if weight.shape != fitting:
        raise CheckpointError(
            f'{source} has {name} with shape {tuple(weight.shape)}, this '
            f'backbone {tuple(own.shape)}: choose weights of the same depth '
            'and width.'
        )
