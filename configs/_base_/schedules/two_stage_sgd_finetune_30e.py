# Fine-tuning on a small data set (UCF101, HMDB51) from a Kinetics checkpoint:
# new classifiers, so both stages again. Every number here is a choice.
#   stage 1: epochs  0-19, lr 0.005, 0.0005 from 15
#   stage 2: epochs 20-29, lr 0.0005, 0.00005 from 25
_base_ = './sgd_50e.py'

optim_wrapper = dict(optimizer=dict(lr=0.005))
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
custom_hooks = [dict(type='TwoStageHook', switch_epoch=20)]
