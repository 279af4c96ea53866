# Linear probes of both frozen features. Numbers: docs/configs.md
_base_ = 'lgd2d_ucf101_split1_local.py'

model = dict(cls_head=dict(features=('local', 'global')))
