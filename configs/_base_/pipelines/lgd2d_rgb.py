# LGD-2D: triple frames, one from each of 3 equal snippets of the video.
#
# train  a random frame per snippet, short side 240 (240x320 for a 4:3 video;
#        Resize(scale=(320, 240), keep_ratio=False) forces it on any video),
#        random 224x224 crop, flip
# val    one triple, centre crop: cheap, during training only
# test   10 uniformly sampled triples, short side 240, fully convolutional:
#        no crop, so videos differ in size and the test batch is one video
train_pipeline = [
    dict(type='WatchedVideoInit'),
    dict(type='UniformSample', clip_len=3, num_clips=1),
    dict(type='WatchedVideoDecode'),
    dict(type='Resize', scale=(-1, 240)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='WatchedVideoInit'),
    dict(type='UniformSample', clip_len=3, num_clips=1, test_mode=True),
    dict(type='WatchedVideoDecode'),
    dict(type='Resize', scale=(-1, 240)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='WatchedVideoInit'),
    dict(type='UniformSample', clip_len=3, num_clips=10, test_mode=True),
    dict(type='WatchedVideoDecode'),
    dict(type='Resize', scale=(-1, 240)),
    dict(type='FormatShape', input_format='NCTHW'),
    # names in the dumped scores, so that streams are paired by video
    dict(
        type='PackActionInputs',
        meta_keys=('img_shape', 'filename', 'frame_dir'),
    ),
]
