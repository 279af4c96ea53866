# LGD-3D, ResNet-101, J-HMDB split 1, ablation of detection: the global path
# alone: every box of a frame scores the same, how far context gets by itself.
#
# Train:     bash tools/dist_train.sh \
#                configs/ablations/lgd3d_jhmdb_split1_global.py 8
# Test:      bash tools/dist_test.sh \
#                configs/ablations/lgd3d_jhmdb_split1_global.py \
#                work_dirs/lgd3d_jhmdb_split1_global/epoch_20.pth 8
# Hardware:  written for 8 GPUs with 4 clips each (batch 32); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = '../lgd3d_jhmdb_split1.py'

model = dict(
    neck=dict(features=('global',)),
    roi_head=dict(bbox_head=dict(in_channels=2048)),
)
