# LGD-2D, ResNet-50, Kinetics-400, RGB. Numbers: docs/configs.md
_base_ = 'lgd2d_k400.py'

model = dict(backbone=dict(depth=50, pretrained='torchvision://resnet50'))
