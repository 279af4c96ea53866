# lgd3d_r50_k400.py with pseudo-3D kind B, parallel where A is serial: spatial
# and temporal convolution are summed. Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(pseudo3d='B'))
