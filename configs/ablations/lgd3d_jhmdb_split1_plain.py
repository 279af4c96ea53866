# LGD-3D, ResNet-101, J-HMDB split 1, ablation of detection: no global path in
# the network either (load_from a plain network's checkpoint).
#
# Train:     bash tools/dist_train.sh \
#                configs/ablations/lgd3d_jhmdb_split1_plain.py 8
# Test:      bash tools/dist_test.sh \
#                configs/ablations/lgd3d_jhmdb_split1_plain.py \
#                work_dirs/lgd3d_jhmdb_split1_plain/epoch_20.pth 8
# Hardware:  written for 8 GPUs with 4 clips each (batch 32); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = '../lgd3d_jhmdb_split1.py'

# of plain_3d_k400.py: no diffusion
load_from = 'work_dirs/plain_3d_k400/epoch_50.pth'
model = dict(
    backbone=dict(diffusion=None),
    neck=dict(features=('local',)),
    roi_head=dict(bbox_head=dict(in_channels=2048)),
)
