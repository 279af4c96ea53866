# LGD-2D: triples of flow fields, one from each of 3 equal snippets.
#
# As lgd2d_rgb.py, from x/y images instead of videos. Flow is read at the
# scale at which it was extracted and resized as a picture: its values stay
# in pixels of the extracted size. A flip also negates x.
train_pipeline = [
    dict(type='UniformSample', clip_len=3, num_clips=1),
    dict(type='CheckedFrameDecode'),
    dict(type='Resize', scale=(-1, 240)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='UniformSample', clip_len=3, num_clips=1, test_mode=True),
    dict(type='CheckedFrameDecode'),
    dict(type='Resize', scale=(-1, 240)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='UniformSample', clip_len=3, num_clips=10, test_mode=True),
    dict(type='CheckedFrameDecode'),
    dict(type='Resize', scale=(-1, 240)),
    dict(type='FormatShape', input_format='NCTHW'),
    # names in the dumped scores, so that streams are paired by video
    dict(
        type='PackActionInputs',
        meta_keys=('img_shape', 'filename', 'frame_dir'),
    ),
]
