# Detection, from a Kinetics checkpoint. Every number here is a choice.
#   lr 0.01, one epoch of warm-up, divided by 10 at 12 and 17 of 20 epochs
# An epoch is `frames_per_video` key frames of every video.
_base_ = './sgd_50e.py'

optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(
        type='MultiStepLR',
        begin=0,
        end=20,
        by_epoch=True,
        milestones=[12, 17],
        gamma=0.1,
    ),
]
train_cfg = dict(max_epochs=20)
