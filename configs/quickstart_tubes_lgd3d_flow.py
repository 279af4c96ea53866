# The flow stream of quickstart_tubes_lgd3d.py;
# `python tools/run_detection_example.py --flow`. Numbers: docs/configs.md
_base_ = './quickstart_tubes_lgd3d.py'

# of tools/data/extract_flow.py --short-side 72 --bound 5
flow = dict(
    _delete_=True,
    type='ActionTubeDataset',
    ann_file=_base_.ann_file,
    data_prefix=dict(img=f'{_base_.root}/flow'),
    modality='Flow',
    proposal_file=_base_.proposal_file,
    background=True,
)
# images are read instead of a video opened and decoded; the flip negates x
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
for __steps in (train_pipeline, test_pipeline):
    __steps[:3] = [__steps[1], dict(type='CheckedFrameDecode')]
train_dataloader = dict(
    dataset=dict(
        subset='train', frames_per_video=5, pipeline=train_pipeline, **flow
    )
)
test_dataset = dict(
    subset='test', pipeline=test_pipeline, test_mode=True, **flow
)
val_dataloader = dict(dataset=dict(frame_stride=5, **test_dataset))
test_dataloader = dict(dataset=test_dataset)
model = dict(
    backbone=dict(in_channels=2),
    # 128 is no motion, 32 levels are 1.25 pixels a frame
    data_preprocessor=dict(mean=[128, 128], std=[32, 32]),
)
