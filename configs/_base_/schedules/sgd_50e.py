# SGD, 0.01 divided by 10 every 20 epochs, 50 epochs (recalled from the paper,
# unsure); momentum 0.9, weight decay 5e-4 and the clip at 40 are choices.
# An epoch is one clip of every video.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
    clip_grad=dict(max_norm=40, norm_type=2),
)
param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=50,
        by_epoch=True,
        milestones=[20, 40],
        gamma=0.1,
    )
]
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=50, val_begin=1, val_interval=5
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# off: `--auto-scale-lr` turns it on; a config sets its own batch size
auto_scale_lr = dict(enable=False, base_batch_size=128)
