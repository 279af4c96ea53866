# plain_2d_k600.py with ResNet-50. Numbers: docs/configs.md
_base_ = 'plain_2d_k600.py'

model = dict(backbone=dict(depth=50, pretrained='torchvision://resnet50'))
