# LGD-2D, ResNet-50, Kinetics-600, flow. Numbers: docs/configs.md
_base_ = 'lgd2d_flow_k600.py'

model = dict(backbone=dict(depth=50, pretrained='torchvision://resnet50'))
