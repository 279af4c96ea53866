# A small LGD-3D for own videos, from scratch on a CPU: some 100 to 2000 clips.
# All numbers are choices; docs/own_data.md has what they reached.
_base_ = 'own_lgd3d.py'

model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        pretrained=None,
        # no 2D weights to start from: identity would see no motion for long
        temporal_start='random',
        zero_init_residual=False,
        # both factors see the picture: learnt motion sooner than kind A
        pseudo3d='B',
    ),
    cls_head=dict(in_channels=128, sketch_dim=512, dropout_ratio=0.2),
)
# The whole picture, squeezed into a square; in training nearly the whole one.
# Of one size in both: a network this small, trained on crops, was seen to take
# larger pictures for another class.
__square = dict(type='Resize', scale=(80, 80), keep_ratio=False)
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='VideoDecode', scale=(-1, 96)),
    dict(type='RandomResizedCrop', area_range=(0.5, 1.0)),
    __square,
    *_base_.train_pipeline[4:],
]
# the scores of 5 clips of a video are averaged
val_pipeline = test_pipeline = [
    dict(type='VideoOpen'),
    {**_base_.test_pipeline[1], 'num_clips': 5},
    dict(type='VideoDecode', scale=(-1, 96)),
    __square,
    *_base_.test_pipeline[3:],
]
train_dataloader = dict(
    batch_size=16, num_workers=1, dataset=dict(pipeline=train_pipeline)
)
val_dataloader = test_dataloader = dict(
    batch_size=4, num_workers=1, dataset=dict(pipeline=test_pipeline)
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),
)
auto_scale_lr = dict(base_batch_size=16)
