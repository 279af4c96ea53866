"""A small LGD-3D, its config and its checkpoint, for the commands' tests."""

from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config

CONFIG = """
_base_ = '{root}/configs/_base_/lgd3d_rgb.py'
model = dict(
    backbone=dict(depth=18, base_channels=8, pretrained=None),
    cls_head=dict(num_classes=3, in_channels=64, sketch_dim=64),
)
val_pipeline = [*_base_.val_pipeline]
val_pipeline[3] = dict(type='CenterCrop', crop_size=32)
test_pipeline = [
    dict(type='VideoOpen'),
    dict(type='SampleFrames', clip_len=8, num_clips=2, test_mode=True),
    dict(type='VideoDecode', scale=(-1, 32)),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""


def write_tiny(folder: Path, root: Path, stage: int) -> tuple[Path, Path]:
    """Config and checkpoint in a folder; random weights."""
    config, checkpoint = folder / 'tiny.py', folder / 'epoch_1.pth'
    config.write_text(CONFIG.format(root=root))
    model = MODELS.build(Config.fromfile(config).model)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    model.cls_head.set_stage(stage)
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return config, checkpoint
