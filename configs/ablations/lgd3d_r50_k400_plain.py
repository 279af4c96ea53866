# lgd3d_r50_k400.py without a global path, the kernelized classifier on P(x_L)
# (plain_3d_r50_k400.py: the stock linear head). Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(diffusion=None), cls_head=dict(features=('local',)))
