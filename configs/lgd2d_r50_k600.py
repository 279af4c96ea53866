# LGD-2D, ResNet-50, Kinetics-600, RGB. Numbers: docs/configs.md
_base_ = 'lgd2d_k600.py'

model = dict(backbone=dict(depth=50, pretrained='torchvision://resnet50'))
