# LGD-2D, ResNet-50, Kinetics-400, ablation of the block: no global path at
# all, under the kernelized classifier of the local feature.
# (plain_2d_r50_k400.py is the plain network under the stock linear head.)
# Numbers: docs/configs.md
_base_ = '../lgd2d_r50_k400.py'

model = dict(
    backbone=dict(diffusion=None),
    cls_head=dict(features=('local',)),
)
