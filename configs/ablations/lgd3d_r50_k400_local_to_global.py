# lgd3d_r50_k400.py with equation (2) alone: g listens to the local path, which
# is a plain network. Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(diffusion=dict(form='local_to_global')))
