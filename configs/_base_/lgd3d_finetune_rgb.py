# LGD-3D on RGB, fine-tuned on UCF101 or HMDB51 from a Kinetics
# checkpoint: new classifiers, so both stages again. All numbers are choices.
#   stage 1: epochs  0-19, lr 0.005, 0.0005 from 15
#   stage 2: epochs 20-29, lr 0.0005, 0.00005 from 25
_base_ = 'lgd3d_rgb.py'

model = dict(backbone=dict(depth=101, pretrained=None))
optim_wrapper = dict(optimizer=dict(lr=0.005))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=30, milestones=[15, 25])
]
train_cfg = dict(max_epochs=30)
custom_hooks = [dict(type='TwoStageHook', switch_epoch=20)]
