# LGD-3D, ResNet-50, Kinetics-400, flow. Numbers: docs/configs.md
_base_ = 'lgd3d_flow_k400.py'

model = dict(backbone=dict(depth=50, pretrained='torchvision://resnet50'))
