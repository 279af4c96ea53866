# lgd2d_r50_k400.py with signed square root and L2 normalisation of both
# sketches, as compact bilinear pooling does. Numbers: docs/configs.md
_base_ = '../lgd2d_r50_k400.py'

model = dict(cls_head=dict(signed_sqrt_l2=True))
