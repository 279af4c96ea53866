# LGD-2D, ResNet-50, Kinetics-400, ablation of the block: only equation (2):
# the global path listens to the local one, which is a plain network.
# Numbers: docs/configs.md
_base_ = '../lgd2d_r50_k400.py'

model = dict(backbone=dict(diffusion=dict(form='local_to_global')))
