# Detection: LGD-3D, ResNet-101, UCF101-24, flow. Numbers: docs/configs.md
_base_ = ['_base_/lgd3d_detection_flow.py', '_base_/data/ucf101_24.py']

load_from = 'work_dirs/lgd3d_flow_k400/epoch_50.pth'  # or lgd3d_flow_k600
model = dict(
    backbone=dict(depth=101), roi_head=dict(bbox_head=dict(num_classes=24))
)
train_dataloader = dict(dataset=_base_.data.flow.train)
val_dataloader = test_dataloader = dict(dataset=_base_.data.flow.test)
val_evaluator = test_evaluator = _base_.data.flow.metric
# about 166,000 test frames: validation once, after the last epoch
train_cfg = dict(val_begin=20, val_interval=20)
