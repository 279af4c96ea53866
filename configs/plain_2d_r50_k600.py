# lgd2d_r50_k600.py without a global path, stock linear head, one stage.
# Numbers: docs/configs.md
_base_ = 'plain_2d_k600.py'

model = dict(backbone=dict(depth=50, pretrained='torchvision://resnet50'))
