# lgd3d_jhmdb_split1.py on the global path alone: every box of a frame scores
# the same, how far context gets by itself. Numbers: docs/configs.md
_base_ = '../lgd3d_jhmdb_split1.py'

model = dict(
    neck=dict(features=('global',)),
    roi_head=dict(bbox_head=dict(in_channels=2048)),
)
