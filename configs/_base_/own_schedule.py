# What the recipes for own videos share; tools/data/folder.py fits the number
# of epochs to the data. One key, as in data/: own_*.py take what they need.
own = dict(
    param_scheduler=[
        # in steps: an epoch of a small set may have one
        dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=20),
        dict(
            type='CosineAnnealingLR',
            T_max=40,
            end=40,
            eta_min_ratio=0.01,
            convert_to_iter_based=True,
        ),
    ],
    custom_hooks=[
        dict(type='TwoStageHook', switch_epoch=20),
        # of 20 validations: stage 2 is reached in any case
        dict(
            type='EarlyStoppingHook',
            monitor='acc/top1',
            min_delta=1e-6,
            patience=12,
        ),
    ],
    train_cfg=dict(max_epochs=40, val_interval=2),
    default_hooks=dict(
        logger=dict(interval=10),
        checkpoint=dict(interval=2, max_keep_ckpts=1, save_best='acc/top1'),
    ),
)
