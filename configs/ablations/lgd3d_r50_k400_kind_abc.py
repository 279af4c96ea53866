# lgd3d_r50_k400.py, kinds A, B and C in turn. Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(pseudo3d='ABC'))
