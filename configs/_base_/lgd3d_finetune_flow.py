# lgd3d_finetune_rgb.py on flow.
_base_ = 'lgd3d_flow.py'

model = dict(backbone=dict(depth=101, pretrained=None))
optim_wrapper = dict(optimizer=dict(lr=0.005))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=30, milestones=[15, 25])
]
train_cfg = dict(max_epochs=30)
custom_hooks = [dict(type='TwoStageHook', switch_epoch=20)]
