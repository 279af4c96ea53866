# A small LGD-3D that detects actions of generated shapes, from scratch.
#
# Train:     python tools/run_detection_example.py, or by hand
#                python tools/train.py configs/quickstart_tubes_lgd3d.py
# Test:      python tools/test.py configs/quickstart_tubes_lgd3d.py \
#                work_dirs/quickstart_tubes_lgd3d/epoch_3.pth
# Hardware:  written for 2 CPU cores
# Published: no number, these are generated videos (4 classes)
# Measured:  88.3 frame-mAP@0.5, generated videos in the style of J-HMDB (seed
#            0, chance 18.6)
_base_ = './_base_/det_runtime.py'

# environment variables put the data elsewhere, or take another style
root = '{{$LGD_TUBES_DATA:data/quickstart_tubes}}'
ann_file = f'{root}/' + '{{$LGD_TUBES_ANN:jhmdb_tubes.json}}'
proposal_file = f'{root}/proposals.npz'
size = 72
train_pipeline = [
    dict(type='WatchedVideoInit', num_threads=1),
    dict(type='SampleKeyFrames', clip_len=8, frame_interval=2),
    dict(type='WatchedVideoDecode'),
    dict(type='Resize', scale=(-1, size)),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='WatchedVideoInit', num_threads=1),
    dict(type='SampleKeyFrames', clip_len=8, frame_interval=2),
    dict(type='WatchedVideoDecode'),
    dict(type='Resize', scale=(-1, size)),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(
        type='PackActionInputs',
        meta_keys=('img_shape', 'video_id', 'timestamp', 'proposal_scores'),
    ),
]
dataset = dict(
    type='ActionTubeDataset',
    ann_file=ann_file,
    data_prefix=dict(video=f'{root}/videos'),
    proposal_file=proposal_file,
    # bystanders, actors at rest and what the detector made up are class 4
    background=True,
)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        subset='train',
        frames_per_video=5,
        pipeline=train_pipeline,
        **dataset,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        subset='test', pipeline=test_pipeline, test_mode=True, **dataset
    ),
)
# every 5th frame while training
val_dataloader = {
    **test_dataloader,
    'dataset': dict(frame_stride=5, **test_dataloader['dataset']),
}
test_evaluator = dict(
    type='TubeMetric', ann_file=ann_file, split=1, subset='test'
)
val_evaluator = {**test_evaluator, 'video_thresholds': ()}

model = dict(
    type='FastRCNN',
    _scope_='mmdet',
    backbone=dict(
        type='mmaction.LGDResNet3d',
        depth=18,
        base_channels=16,
        pretrained=None,
        # no 2D weights to start from: identity would see no motion for long
        temporal_start='random',
        zero_init_residual=False,
        pseudo3d='A',
        inflate=(1, 1, 1, 1),
        conv1_kernel=(1, 7, 7),
        spatial_strides=(1, 2, 1, 1),
        temporal_strides=(1, 1, 2, 2),
        with_pool2=False,
        diffusion=dict(form='both', reduction=16),
    ),
    neck=dict(type='mmaction.RoIFeatures', features=('local', 'global')),
    roi_head=dict(
        type='AVARoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor3D',
            roi_layer_type='RoIAlign',
            featmap_stride=8,
            output_size=4,
            with_temporal_pool=True,
        ),
        bbox_head=dict(
            type='BackgroundBBoxHead',
            background_class=False,
            multilabel=False,
            in_channels=256,
            num_classes=5,
            dropout_ratio=0.2,
            topk=None,
        ),
    ),
    data_preprocessor=dict(
        type='mmaction.ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(
                type='MaxIoUAssignerAVA',
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
            ),
            sampler=dict(
                type='RandomSampler',
                num=32,
                pos_fraction=1,
                neg_pos_ub=-1,
                add_gt_as_proposals=False,
            ),
            pos_weight=1.0,
        )
    ),
    test_cfg=dict(rcnn=None),
)

train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=3, val_begin=3, val_interval=3
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
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
        T_max=3,
        end=3,
        eta_min=2e-5,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=1, max_keep_ckpts=2, save_best=None),
)
randomness = dict(seed=0)
auto_scale_lr = dict(enable=False, base_batch_size=8)
