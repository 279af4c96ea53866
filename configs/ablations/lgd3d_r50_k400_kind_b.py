# LGD-3D, ResNet-50, Kinetics-400, pseudo-3D kind B, parallel: the spatial and
# the temporal convolution are summed (the main config is kind A, serial).
# Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(pseudo3d='B'))
