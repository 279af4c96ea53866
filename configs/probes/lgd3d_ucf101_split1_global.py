# Linear probe on UCF101 split 1: the frozen global feature g_L of LGD-3D
# trained on Kinetics-400.
#
# Train:     bash tools/dist_train.sh \
#                configs/probes/lgd3d_ucf101_split1_global.py 8
# Test:      bash tools/dist_test.sh \
#                configs/probes/lgd3d_ucf101_split1_global.py \
#                work_dirs/lgd3d_ucf101_split1_global/epoch_30.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = './lgd3d_ucf101_split1_local.py'

model = dict(cls_head=dict(features=('global',)))
