# LGD-2D, ResNet-50, Kinetics-400, ablation of the block: the global vector
# gates the local features instead of adding to them.
# Numbers: docs/configs.md
_base_ = '../lgd2d_r50_k400.py'

model = dict(backbone=dict(diffusion=dict(form='multiplicative')))
