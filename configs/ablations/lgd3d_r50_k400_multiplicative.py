# lgd3d_r50_k400.py: g gates the local features instead of adding to them.
# Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(diffusion=dict(form='multiplicative')))
