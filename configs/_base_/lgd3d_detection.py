# The whole recipe of detection with LGD-3D on RGB frames; a leaf adds depth,
# classes and data. Every number of the schedule is a choice.
_base_ = 'det_runtime.py'

# Stock but for backbone and neck: RoI features of the local path, the global
# path beside them, one linear softmax classifier. The last stage keeps its
# size (stride 16 instead of 32), as in the stock AVA configs: at 240x320 a
# person is then a few positions wide.
model = dict(
    type='FastRCNN',
    _scope_='mmdet',
    backbone=dict(
        type='mmaction.LGDResNet3d',
        depth=50,
        pretrained=None,
        pretrained2d=True,
        conv1_kernel=(1, 7, 7),
        pseudo3d='A',
        inflate=(1, 1, 1, 1),
        inflate_style='3x3x3',
        spatial_strides=(1, 2, 2, 1),
        temporal_strides=(1, 2, 2, 2),
        with_pool2=False,
        norm_eval=False,
        diffusion=dict(form='both', reduction=16),
    ),
    neck=dict(type='mmaction.RoIFeatures', features=('local', 'global')),
    roi_head=dict(
        type='AVARoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor3D',
            roi_layer_type='RoIAlign',
            featmap_stride=16,
            output_size=8,
            with_temporal_pool=True,
        ),
        bbox_head=dict(
            type='BBoxHeadAVA',
            background_class=False,
            multilabel=False,
            in_channels=4096,  # 2048 for each feature
            num_classes=21,
            dropout_ratio=0.5,
            topk=None,
        ),
    ),
    data_preprocessor=dict(
        type='mmaction.ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
    # The data set hands over the ground truth among the proposals. Detector
    # boxes take the label of what they overlap by half; others are not seen.
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

# 16 consecutive frames around the key frame t, t - 8 to t + 7; the first or
# last frame repeated where the video ends.
# train  short side 240, at which both data sets come; flip (of flow: negates
#        x too). No crop: all boxes stay whole. No random size: clips of a
#        batch would be padded, which in flow is a motion, and the global
#        path sees it.
# test   short side 240, one frame at a time
# Sizes are choices; --cfg-options on them needs no other change.
train_pipeline = [
    dict(type='SampleKeyFrames', clip_len=16, frame_interval=1),
    dict(type='CheckedFrameDecode'),
    dict(type='Resize', scale=(-1, 240)),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    *train_pipeline[:3],
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    # which frame it is, and how sure the person detector was of each box
    dict(
        type='PackActionInputs',
        meta_keys=('img_shape', 'video_id', 'timestamp', 'proposal_scores'),
    ),
]

# train  runs of key frames, one frame of each run drawn anew every epoch;
#        the ground truth boxes are the proposals
# val, test   every frame, with the boxes of a person detector: the metric
#        counts what is annotated in other frames as missed
train_dataloader = dict(
    batch_size=4,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ActionTubeDataset',
        split=1,
        subset='train',
        pipeline=train_pipeline,
    ),
)
# AVARoIHead tests one frame at a time
val_dataloader = test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ActionTubeDataset',
        split=1,
        subset='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
# a video that cannot be read: see lgd3d_rgb.py
val_evaluator = dict(
    type='TubeMetric', split=1, subset='test', bad_videos='wrong'
)
test_evaluator = dict(type='TubeMetric', split=1, subset='test')

# From a Kinetics checkpoint: lr 0.01 for a batch of 64, one epoch of warm-up,
# divided by 10 at 12 and 17 of 20 epochs. An epoch is `frames_per_video` key
# frames of every video.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=5e-4),
    clip_grad=dict(max_norm=40, norm_type=2),
)
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
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=20, val_begin=1, val_interval=5
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# 8 GPUs with 4 clips each; `--auto-scale-lr` turns it on
auto_scale_lr = dict(enable=False, base_batch_size=32)
