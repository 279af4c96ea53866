# LGD-3D, 128 frames, ResNet-101, Kinetics-600, flow. Numbers: docs/configs.md
_base_ = ['_base_/lgd3d_long_flow.py', '_base_/data/kinetics600.py']

load_from = 'work_dirs/lgd3d_flow_k600/epoch_50.pth'
model = dict(backbone=dict(depth=101), cls_head=dict(num_classes=600))
train_dataloader = dict(dataset=_base_.data.flow.train)
val_dataloader = test_dataloader = dict(dataset=_base_.data.flow.val)
