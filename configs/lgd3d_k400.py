# LGD-3D, ResNet-101, Kinetics-400, RGB. Numbers: docs/configs.md
_base_ = ['_base_/lgd3d_rgb.py', '_base_/data/kinetics400.py']

model = dict(
    backbone=dict(depth=101, pretrained='torchvision://resnet101'),
    cls_head=dict(num_classes=400),
)
train_dataloader = dict(dataset=_base_.data.rgb.train)
val_dataloader = test_dataloader = dict(dataset=_base_.data.rgb.val)
