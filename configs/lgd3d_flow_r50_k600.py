# LGD-3D, ResNet-50, Kinetics-600, flow. Numbers: docs/configs.md
_base_ = 'lgd3d_flow_k600.py'

model = dict(backbone=dict(depth=50, pretrained='torchvision://resnet50'))
