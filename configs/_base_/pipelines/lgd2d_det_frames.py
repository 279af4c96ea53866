# LGD-2D detection: 3 frames around the key frame t, t - 8, t and t + 8 (a
# choice: the span of LGD-3D's 16 frames); the first or last frame repeated
# where the video ends.
#
# train  short side 240, at which both data sets come; flip. No crop: all boxes
#        stay whole. No random size: clips of a batch would be padded, which
#        in flow is a motion, and the global path sees it.
# test   short side 240, one frame at a time
# Sizes are choices; --cfg-options on them needs no other change.
# Frames come from folders of images, RGB or flow (a flip also negates x).
train_pipeline = [
    dict(type='SampleKeyFrames', clip_len=3, frame_interval=8),
    dict(type='CheckedFrameDecode'),
    dict(type='Resize', scale=(-1, 240)),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='SampleKeyFrames', clip_len=3, frame_interval=8),
    dict(type='CheckedFrameDecode'),
    dict(type='Resize', scale=(-1, 240)),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    # which frame it is, and how sure the person detector was of each box
    dict(
        type='PackActionInputs',
        meta_keys=('img_shape', 'video_id', 'timestamp', 'proposal_scores'),
    ),
]
