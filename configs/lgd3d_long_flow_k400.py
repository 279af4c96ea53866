# LGD-3D, 128 frames, ResNet-101, Kinetics-400, flow. Numbers: docs/configs.md
_base_ = ['_base_/lgd3d_long_flow.py', '_base_/data/kinetics400.py']

load_from = 'work_dirs/lgd3d_flow_k400/epoch_50.pth'
model = dict(backbone=dict(depth=101), cls_head=dict(num_classes=400))
train_dataloader = dict(dataset=_base_.data.flow.train)
val_dataloader = test_dataloader = dict(dataset=_base_.data.flow.val)
