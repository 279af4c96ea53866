# LGD-3D, ResNet-50, Kinetics-400, pseudo-3D kind C, serial with a shortcut
# around the temporal convolution (the main config is kind A, serial).
#
# Train:     bash tools/dist_train.sh \
#                configs/ablations/lgd3d_r50_k400_kind_c.py 8
# Test:      bash tools/dist_test.sh \
#                configs/ablations/lgd3d_r50_k400_kind_c.py \
#                work_dirs/lgd3d_r50_k400_kind_c/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(pseudo3d='C'))
