# lgd2d_r50_k400.py with equation (1) alone: g acts on the local path but does
# not read it (it starts from the stem). Numbers: docs/configs.md
_base_ = '../lgd2d_r50_k400.py'

model = dict(backbone=dict(diffusion=dict(form='global_to_local')))
