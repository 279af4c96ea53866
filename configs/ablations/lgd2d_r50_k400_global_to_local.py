# LGD-2D, ResNet-50, Kinetics-400, ablation of the block: only equation (1):
# the global vector acts on the local path but does not read it (it starts from
# the stem).
# Numbers: docs/configs.md
_base_ = '../lgd2d_r50_k400.py'

model = dict(backbone=dict(diffusion=dict(form='global_to_local')))
