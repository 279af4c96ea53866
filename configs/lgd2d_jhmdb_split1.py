# Detection: LGD-2D, ResNet-101, J-HMDB split 1, RGB. Numbers: docs/configs.md
_base_ = ['_base_/lgd2d_detection.py', '_base_/data/jhmdb.py']

load_from = 'work_dirs/lgd2d_k400/epoch_50.pth'  # or lgd2d_k600
model = dict(
    backbone=dict(depth=101), roi_head=dict(bbox_head=dict(num_classes=21))
)
train_dataloader = dict(dataset=_base_.data.rgb.train)
val_dataloader = test_dataloader = dict(dataset=_base_.data.rgb.test)
val_evaluator = test_evaluator = _base_.data.rgb.metric
