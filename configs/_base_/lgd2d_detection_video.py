# lgd2d_detection.py from videos instead of folders of frames.
_base_ = 'lgd2d_detection.py'

train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
for __steps in (train_pipeline, test_pipeline):
    __steps[1] = dict(type='VideoDecode')
    __steps.insert(0, dict(type='VideoOpen'))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
