# lgd3d_r50_k400.py with D = 1024, not 8192. Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

model = dict(cls_head=dict(sketch_dim=1024))
