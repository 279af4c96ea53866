# Linear probe of both frozen features, a classifier each: LGD-2D on UCF101
# split 1.
# Numbers: docs/configs.md
_base_ = 'lgd2d_ucf101_split1_local.py'

model = dict(cls_head=dict(features=('local', 'global')))
