# lgd3d_detection.py from videos instead of folders of frames.
_base_ = 'lgd3d_detection.py'

__open = dict(type='WatchedVideoInit')
__decode = dict(type='WatchedVideoDecode')
train_pipeline = [
    __open,
    _base_.train_pipeline[0],
    __decode,
    *_base_.train_pipeline[2:],
]
test_pipeline = [
    __open,
    _base_.test_pipeline[0],
    __decode,
    *_base_.test_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
