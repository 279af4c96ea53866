# lgd2d_k400.py, no global path, linear head. Numbers: docs/configs.md
_base_ = 'lgd2d_k400.py'

model = dict(
    backbone=dict(diffusion=None),
    cls_head=dict(
        _delete_=True,
        type='I3DHead',
        num_classes=400,
        in_channels=2048,
        spatial_type='avg',
        dropout_ratio=0.5,
        average_clips='prob',
    ),
)
custom_hooks = []
