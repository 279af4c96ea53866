# LGD-3D, long clips: 128 consecutive frames, everything else as
# lgd3d_rgb.py. The paper does not say how its long models were tested; 15
# uniformly sampled clips are kept.
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=128, frame_interval=1, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 120)),
    dict(type='RandomCrop', size=112),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=128,
        frame_interval=1,
        num_clips=1,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 120)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=128,
        frame_interval=1,
        num_clips=15,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 120)),
    dict(type='FormatShape', input_format='NCTHW'),
    # names in the dumped scores, so that streams are paired by video
    dict(
        type='PackActionInputs',
        meta_keys=('img_shape', 'filename', 'frame_dir'),
    ),
]
