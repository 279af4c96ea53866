# Quickstart: a small LGD-3D on generated clips, from scratch on 2 CPU cores,
# both stages; `bash tools/quickstart.sh` runs it. Numbers: docs/configs.md
_base_ = '_base_/lgd3d_rgb.py'

# an environment variable of this name puts the clips elsewhere
root = '{{$LGD_QUICKSTART_DATA:data/quickstart}}'
train_pipeline = [
    dict(type='VideoOpen'),
    # every second frame: from one frame to the next, scenes move by 2 to 3
    # pixels, only half a position of the first temporal convolution
    dict(type='SampleFrames', clip_len=8, frame_interval=2, num_clips=1),
    dict(type='VideoDecode', scale=(-1, 64)),
    # no flip: the class is how something moves
    dict(type='RandomCrop', size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = test_pipeline = [
    dict(type='VideoOpen'),
    {**train_pipeline[1], 'test_mode': True},
    # the whole picture: the network is fully convolutional
    dict(type='VideoDecode', scale=(-1, 64)),
    dict(type='FormatShape', input_format='NCTHW'),
    # the dumped scores then name their clips
    dict(type='PackActionInputs', meta_keys=('img_shape', 'filename')),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        ann_file=f'{root}/quickstart_train_list_videos.txt',
        data_prefix=dict(video=f'{root}/videos_train'),
        pipeline=train_pipeline,
    ),
)
__clips = dict(
    ann_file=f'{root}/quickstart_val_list_videos.txt',
    data_prefix=dict(video=f'{root}/videos_val'),
    pipeline=test_pipeline,
)
val_dataloader = dict(batch_size=16, num_workers=1, dataset=__clips)
test_dataloader = dict(num_workers=1, dataset=__clips)

model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        pretrained=None,
        # no 2D weights to start from: identity would see no motion for long
        temporal_start='random',
        zero_init_residual=False,
        # both factors see the picture: kind A, the temporal one behind the
        # spatial one, was seen to take two directions for one on some seeds
        pseudo3d='B',
    ),
    cls_head=dict(
        num_classes=8, in_channels=128, sketch_dim=512, dropout_ratio=0.2
    ),
)

# stage 1: epochs 0-8, stage 2: epochs 9-12
custom_hooks = [dict(type='TwoStageHook', switch_epoch=9)]
train_cfg = dict(max_epochs=13, val_interval=2)
# AdamW instead of the paper's SGD: minutes, not days
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),
)
param_scheduler = [
    # in steps, half an epoch here: an epoch of a small set may have one
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=20),
    dict(
        type='CosineAnnealingLR',
        T_max=13,
        end=13,
        eta_min=2e-5,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(
    logger=dict(interval=5),
    checkpoint=dict(interval=1, max_keep_ckpts=2, save_best=None),
)
log_processor = dict(window_size=5)
randomness = dict(seed=0)
auto_scale_lr = dict(base_batch_size=16)
