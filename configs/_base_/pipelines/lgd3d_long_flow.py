# LGD-3D, long clips: lgd3d_flow.py with 128 consecutive frames. The paper does
# not say how its long models were tested; 15 clips are kept.
_base_ = './lgd3d_flow.py'

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
for _pipeline in (train_pipeline, val_pipeline, test_pipeline):
    for _transform in _pipeline:
        if _transform['type'] == 'SampleFrames':
            _transform['clip_len'] = 128
del _pipeline, _transform  # else they were part of the config
