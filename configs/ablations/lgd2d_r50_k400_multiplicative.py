# lgd2d_r50_k400.py: g gates x, is not added to it. Numbers: docs/configs.md
_base_ = '../lgd2d_r50_k400.py'

model = dict(backbone=dict(diffusion=dict(form='multiplicative')))
