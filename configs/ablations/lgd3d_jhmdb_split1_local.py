# lgd3d_jhmdb_split1.py, local alone, as the paper. Numbers: docs/configs.md
_base_ = '../lgd3d_jhmdb_split1.py'

model = dict(
    neck=dict(features=('local',)),
    roi_head=dict(bbox_head=dict(in_channels=2048)),
)
