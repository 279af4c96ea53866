# Quickstart: a small LGD-3D on generated clips, from scratch, both stages.
#
# Train:     bash tools/quickstart.sh, or by hand
#                python tools/train.py configs/quickstart_lgd3d.py
# Test:      python tools/test.py configs/quickstart_lgd3d.py \
#                work_dirs/quickstart_lgd3d/epoch_6.pth
# Hardware:  written for 2 CPU cores
# Published: no number, these are generated clips (8 classes, chance 12.5)
# Measured:  98.1 top-1, 160 generated clips (seed 0)
_base_ = './_base_/default_runtime.py'

# an environment variable of this name puts the clips elsewhere
root = '{{$LGD_QUICKSTART_DATA:data/quickstart}}'
train_pipeline = [
    dict(type='WatchedVideoInit', num_threads=1),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1),
    dict(type='WatchedVideoDecode'),
    dict(type='Resize', scale=(-1, 64)),
    # no flip: the class is how something moves
    dict(type='RandomCrop', size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='WatchedVideoInit', num_threads=1),
    dict(type='SampleFrames', clip_len=16, num_clips=1, test_mode=True),
    dict(type='WatchedVideoDecode'),
    # the whole picture: the network is fully convolutional
    dict(type='Resize', scale=(-1, 64)),
    dict(type='FormatShape', input_format='NCTHW'),
    # the dumped scores then name their clips
    dict(type='PackActionInputs', meta_keys=('img_shape', 'filename')),
]

# In the order of the list, a batch is two scenes in each of the 8 motions:
# its clips differ in nothing but what is to be learnt. Shuffled, training
# often stayed at chance for all of these few epochs.
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='RobustVideoDataset',
        ann_file=f'{root}/quickstart_train_list_videos.txt',
        data_prefix=dict(video=f'{root}/videos_train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='RobustVideoDataset',
        ann_file=f'{root}/quickstart_val_list_videos.txt',
        data_prefix=dict(video=f'{root}/videos_val'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = {**val_dataloader, 'batch_size': 1}
val_evaluator = dict(type='RobustAccMetric', bad_videos='wrong')
test_evaluator = dict(type='RobustAccMetric')

model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='LGDResNet3d',
        depth=18,
        base_channels=16,
        pretrained=None,
        # no 2D weights to start from: identity would see no motion for long
        temporal_start='random',
        zero_init_residual=False,
        pseudo3d='A',
        inflate=(1, 1, 1, 1),
        conv1_kernel=(1, 7, 7),
        temporal_strides=(1, 2, 2, 2),
        with_pool2=False,
        diffusion=dict(form='both', reduction=16),
    ),
    cls_head=dict(
        type='KernelizedHead',
        num_classes=8,
        in_channels=128,
        sketch_dim=512,
        dropout_ratio=0.2,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
)

# stage 1: epochs 0-3, stage 2: epochs 4-5
custom_hooks = [dict(type='TwoStageHook', switch_epoch=4)]
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=6, val_begin=1, val_interval=1
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# AdamW instead of the paper's SGD: minutes, not days
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),
    clip_grad=dict(max_norm=40, norm_type=2),
)
param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.05, end=0.5, convert_to_iter_based=True
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=6,
        end=6,
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
auto_scale_lr = dict(enable=False, base_batch_size=16)
