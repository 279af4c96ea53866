# lgd3d_r50_k400.py with pseudo-3D kind C, serial as A, with a shortcut around
# the temporal convolution. Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(pseudo3d='C'))
