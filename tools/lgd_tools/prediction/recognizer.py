"""A recognizer out of a config and a checkpoint, ready to be used."""

from pathlib import Path

from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from lgd_mmaction.launch.config_errors import read_config
from lgd_mmaction.models.kernelized_head import KernelizedHead
from lgd_mmaction.models.weights import load_all, read_state_dict
from lgd_tools.cli import ToolError, require_file

REMEDY = 'give the config that it was trained with'


def load_recognizer(
    config: str, checkpoint: str, stage: int | None = None
) -> tuple[nn.Module, Config]:
    """A recognizer in evaluation mode, on the CPU, and its config.

    Args:
        config: The config of the training.
        checkpoint: What it saved; all of its weights must fit.
        stage: 1 or 2, instead of the stage that the checkpoint says.

    Raises:
        LGDError: A file that is missing or wrong, or files that do not
            belong together.
    """
    cfg = read_config(str(require_file(config, 'config')))
    if 'model' not in cfg:
        raise ToolError(f'{config} has no model: give the config of a run')
    state = read_state_dict(checkpoint)
    init_default_scope('mmaction')
    # the checkpoint brings all weights
    cfg.model.backbone.pretrained = None
    model = MODELS.build(cfg.model)
    load_all(model, state, Path(checkpoint).name, REMEDY)
    if stage is not None:
        if not isinstance(model.cls_head, KernelizedHead):
            raise ToolError(
                f'the head of {config} is a {type(model.cls_head).__name__}, '
                'which has no stages: a KernelizedHead is needed'
            )
        model.cls_head.set_stage(stage)
    return model.eval(), cfg


def clip_length(cfg: Config) -> int:
    """Frames of a clip in the test pipeline."""
    for transform in cfg.test_pipeline:
        if 'clip_len' in transform:
            return transform.clip_len
    raise ToolError('no transform of test_pipeline has a clip_len')
