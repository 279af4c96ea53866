# LGD-3D: 16 consecutive flow fields.
#
# As lgd3d_rgb.py, from x/y images instead of videos. Flow is read at the
# scale at which it was extracted and resized as a picture: its values stay
# in pixels of the extracted size. A flip also negates x.
train_pipeline = [
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1),
    dict(type='CheckedFrameDecode'),
    dict(type='Resize', scale=(-1, 120)),
    dict(type='RandomCrop', size=112),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=1,
        num_clips=1,
        test_mode=True,
    ),
    dict(type='CheckedFrameDecode'),
    dict(type='Resize', scale=(-1, 120)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=1,
        num_clips=15,
        test_mode=True,
    ),
    dict(type='CheckedFrameDecode'),
    dict(type='Resize', scale=(-1, 120)),
    dict(type='FormatShape', input_format='NCTHW'),
    # names in the dumped scores, so that streams are paired by video
    dict(
        type='PackActionInputs',
        meta_keys=('img_shape', 'filename', 'frame_dir'),
    ),
]
