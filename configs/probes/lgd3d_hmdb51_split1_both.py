# Linear probe of both frozen features, a classifier each: LGD-3D on HMDB51
# split 1.
# Numbers: docs/configs.md
_base_ = 'lgd3d_hmdb51_split1_local.py'

model = dict(cls_head=dict(features=('local', 'global')))
