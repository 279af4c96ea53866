# A small LGD-3D that detects actions of generated shapes, from scratch on 2
# CPU cores; `python tools/run_detection_example.py`. Numbers: docs/configs.md
_base_ = '_base_/lgd3d_detection_video.py'

# environment variables put the data elsewhere, or take another style
root = '{{$LGD_TUBES_DATA:data/quickstart_tubes}}'
ann_file = f'{root}/' + '{{$LGD_TUBES_ANN:jhmdb_tubes.json}}'
proposal_file = f'{root}/proposals.npz'
train_pipeline = [
    dict(type='VideoOpen'),
    dict(type='SampleKeyFrames', clip_len=8, frame_interval=2),
    dict(type='VideoDecode', scale=(-1, 72)),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    *train_pipeline[:3],
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    _base_.test_pipeline[-1],
]
__data = dict(
    ann_file=ann_file,
    data_prefix=dict(video=f'{root}/videos'),
    proposal_file=proposal_file,
    # bystanders, actors at rest and what the detector made up are class 4
    background=True,
)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    drop_last=True,
    dataset=dict(frames_per_video=5, pipeline=train_pipeline, **__data),
)
# every 5th frame while training
val_dataloader = dict(
    num_workers=1,
    dataset=dict(frame_stride=5, pipeline=test_pipeline, **__data),
)
test_dataloader = dict(
    num_workers=1, dataset=dict(pipeline=test_pipeline, **__data)
)
val_evaluator = dict(ann_file=ann_file, video_thresholds=())
test_evaluator = dict(ann_file=ann_file)

model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        # no 2D weights to start from: identity would see no motion for long
        temporal_start='random',
        zero_init_residual=False,
        spatial_strides=(1, 2, 1, 1),
        temporal_strides=(1, 1, 2, 2),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(featmap_stride=8, output_size=4),
        bbox_head=dict(
            type='BackgroundBBoxHead',
            in_channels=256,
            num_classes=5,
            dropout_ratio=0.2,
        ),
    ),
)

train_cfg = dict(max_epochs=3, val_begin=3, val_interval=3)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),
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
auto_scale_lr = dict(base_batch_size=8)
