# Loaders of a labelled list of folders of flow images (flow_x_00001.jpg,
# flow_y_00001.jpg, ...); the data sets add their paths.
_base_ = './videos.py'

flow_frames = dict(
    type='RobustRawframeDataset',
    modality='Flow',
    filename_tmpl='flow_{}_{:05d}.jpg',
    start_index=1,
)
train_dataloader = dict(dataset=flow_frames)
val_dataloader = dict(dataset=flow_frames)
test_dataloader = dict(dataset=flow_frames)
