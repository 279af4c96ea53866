# LGD-3D: 16 consecutive frames.
#
# train  one random clip per video and epoch, short side 120 (120x160 for a
#        4:3 video; Resize(scale=(160, 120), keep_ratio=False) forces it on
#        any video), random 112x112 crop, flip
# val    the middle clip, centre crop: cheap, during training only
# test   15 uniformly sampled clips, short side 120, fully convolutional: no
#        crop, so videos differ in size and the test batch is one video
# A video shorter than a clip is looped.
train_pipeline = [
    dict(type='WatchedVideoInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1),
    dict(type='WatchedVideoDecode'),
    dict(type='Resize', scale=(-1, 120)),
    dict(type='RandomCrop', size=112),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='WatchedVideoInit'),
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=1,
        num_clips=1,
        test_mode=True,
    ),
    dict(type='WatchedVideoDecode'),
    dict(type='Resize', scale=(-1, 120)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='WatchedVideoInit'),
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=1,
        num_clips=15,
        test_mode=True,
    ),
    dict(type='WatchedVideoDecode'),
    dict(type='Resize', scale=(-1, 120)),
    dict(type='FormatShape', input_format='NCTHW'),
    # names in the dumped scores, so that streams are paired by video
    dict(
        type='PackActionInputs',
        meta_keys=('img_shape', 'filename', 'frame_dir'),
    ),
]
