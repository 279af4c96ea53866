# Linear probe of the frozen local feature P(x_L). Numbers: docs/configs.md
_base_ = '../lgd3d_hmdb51_split1.py'

model = dict(
    backbone=dict(frozen_stages=4), cls_head=dict(features=('local',))
)
optim_wrapper = dict(optimizer=dict(lr=0.01))
# stage 1 throughout, whatever stage the loaded checkpoint was in
custom_hooks = [dict(type='TwoStageHook', switch_epoch=30)]
