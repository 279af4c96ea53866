"""Look at what a config names before a run starts."""

from pathlib import Path
from typing import Any

from mmaction.registry import MODELS
from mmengine.config import Config

from lgd_mmaction.errors import CheckpointError, ConfigError
from lgd_mmaction.pickles import load_weights


def check_config(
    cfg: Config, test: bool = False, checkpoint: str | None = None
) -> None:
    """Check the head, and the checkpoints that a run is going to read.

    (Data sets look at their files themselves when they are built.)

    Args:
        cfg: the config with all options of the command line merged.
        test: whether the run tests (else it trains, and validates).
        checkpoint: the checkpoint that the command line of a test names.

    Raises:
        CheckpointError: if a checkpoint is missing or unreadable.
        ConfigError: if the head cannot take what an LGD network returns.
    """
    for part in ('test',) if test else ('train', 'val'):
        loader = cfg.get(f'{part}_dataloader') or {}
        clips = (loader.get('dataset') or {}).get('clips_per_video', 1)
        collate = (loader.get('collate_fn') or {}).get('type')
        if clips > 1 and collate != 'spread_clips':
            raise ConfigError(
                f'clips_per_video={clips} gives lists of clips; set '
                f"{part}_dataloader.collate_fn=dict(type='spread_clips')"
            )
    model = cfg.get('model', {})
    _check_head(model)
    if checkpoint is not None:
        _check_checkpoint('the checkpoint argument', checkpoint)
    elif not test:
        _check_checkpoint('load_from', cfg.get('load_from'))
    if not test and not cfg.get('resume', False):
        _check_checkpoint(
            'model.backbone.pretrained',
            model.get('backbone', {}).get('pretrained'),
        )


def _check_head(model: dict) -> None:
    """Refuse a stock head that takes one map where it gets (x_L, g_L)."""
    backbone, neck = model.get('backbone') or {}, model.get('neck') or {}
    kind = (model.get('cls_head') or {}).get('type')
    has_neck = neck.get('type') == 'DiffusionNeck'
    is_lgd = str(backbone.get('type')).startswith('LGD')
    if not (has_neck or is_lgd and backbone.get('diffusion', {}) is not None):
        return
    head = MODELS.get(kind) if isinstance(kind, str) else kind
    is_stock = getattr(head, '__module__', '').startswith('mmaction.')
    if is_stock and kind != 'SlowFastHead':
        raise ConfigError(
            f'cls_head.type={kind} takes one feature map, but '
            f'{"DiffusionNeck" if has_neck else backbone["type"]} returns the '
            'pair (local, global); use KernelizedHead, or SlowFastHead with '
            'the double of in_channels'
        )


def _check_checkpoint(where: str, name: Any) -> None:
    """Check that a local checkpoint exists and that torch reads it."""
    if not isinstance(name, str) or not name or '://' in name:
        return
    path = Path(name).expanduser()
    try:
        # mmap: only the structure is read, the weights stay on the disk
        content = load_weights(path, mmap=True)
    except CheckpointError as error:
        raise CheckpointError(f'{where}: {error}') from error
    if not isinstance(content, dict) or not content:
        raise CheckpointError(
            f'the checkpoint {path} holds no state dict ({where}) but '
            f'{type(content).__name__}; give a file that mmengine or '
            'torch.save(model.state_dict()) wrote'
        )
