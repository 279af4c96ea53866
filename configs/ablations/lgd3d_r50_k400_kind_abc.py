# LGD-3D, ResNet-50, Kinetics-400, pseudo-3D kind A, B and C in turn over the
# residual units (the main config is kind A, serial).
# Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(pseudo3d='ABC'))
