# A linear classifier on frozen features: stage 1 throughout, whatever stage
# the loaded checkpoint was in. Every number here is a choice.
_base_ = './sgd_50e.py'

param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=30,
        by_epoch=True,
        milestones=[15, 25],
        gamma=0.1,
    )
]
train_cfg = dict(max_epochs=30)
custom_hooks = [dict(type='TwoStageHook', switch_epoch=30)]
