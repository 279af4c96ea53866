# plain_2d_k400.py with ResNet-50. Numbers: docs/configs.md
_base_ = 'plain_2d_k400.py'

model = dict(backbone=dict(depth=50, pretrained='torchvision://resnet50'))
