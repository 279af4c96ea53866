# Linear probe of the frozen global feature g_L. Numbers: docs/configs.md
_base_ = 'lgd2d_hmdb51_split1_local.py'

model = dict(cls_head=dict(features=('global',)))
