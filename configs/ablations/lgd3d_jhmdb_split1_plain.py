# lgd3d_jhmdb_split1.py without a global path in the network either, from a
# plain network's checkpoint. Numbers: docs/configs.md
_base_ = '../lgd3d_jhmdb_split1.py'

load_from = 'work_dirs/plain_3d_k400/epoch_50.pth'
model = dict(
    backbone=dict(diffusion=None),
    neck=dict(features=('local',)),
    roi_head=dict(bbox_head=dict(in_channels=2048)),
)
