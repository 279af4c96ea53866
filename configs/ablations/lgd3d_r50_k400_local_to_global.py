# LGD-3D, ResNet-50, Kinetics-400, ablation of the block: only equation (2):
# the global path listens to the local one, which is a plain network.
#
# Train:     bash tools/dist_train.sh \
#                configs/ablations/lgd3d_r50_k400_local_to_global.py 8
# Test:      bash tools/dist_test.sh \
#                configs/ablations/lgd3d_r50_k400_local_to_global.py \
#                work_dirs/lgd3d_r50_k400_local_to_global/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = '../lgd3d_r50_k400.py'

model = dict(backbone=dict(diffusion=dict(form='local_to_global')))
