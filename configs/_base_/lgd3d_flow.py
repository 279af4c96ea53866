# lgd3d_rgb.py on optical flow: x and y, 128 = no motion. The backbone
# averages the ImageNet stem over colour.
_base_ = 'lgd3d_rgb.py'

model = dict(
    backbone=dict(in_channels=2),
    data_preprocessor=dict(mean=[128, 128], std=[128, 128]),
)
# Images are read instead of a video opened and decoded. They are resized as
# pictures: values stay in pixels of the extracted size. A flip negates x.
train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
for __steps in (train_pipeline, val_pipeline, test_pipeline):
    __resize = dict(type='Resize', scale=__steps[2]['scale'])
    __steps[:3] = [__steps[1], dict(type='CheckedFrameDecode'), __resize]
__frames = dict(
    type='RobustRawframeDataset',
    modality='Flow',
    filename_tmpl='flow_{}_{:05d}.jpg',
    start_index=1,
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **__frames))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline, **__frames))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **__frames))
