# lgd3d_r50_k400.py with pseudo-3D kinds A, B and C in turn over the units.
# Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(pseudo3d='ABC'))
