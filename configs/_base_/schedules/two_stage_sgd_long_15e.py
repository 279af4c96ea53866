# Long clips, from a 16-frame checkpoint that has passed both stages: stage 2
# from the first epoch on. Every number here is a choice.
_base_ = './sgd_50e.py'

optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=15,
        by_epoch=True,
        milestones=[10],
        gamma=0.1,
    )
]
train_cfg = dict(max_epochs=15)
custom_hooks = [dict(type='TwoStageHook', switch_epoch=0)]
