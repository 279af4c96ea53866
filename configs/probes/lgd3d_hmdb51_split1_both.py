# Linear probes of both frozen features. Numbers: docs/configs.md
_base_ = 'lgd3d_hmdb51_split1_local.py'

model = dict(cls_head=dict(features=('local', 'global')))
