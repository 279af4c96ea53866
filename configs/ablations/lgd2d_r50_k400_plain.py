# LGD-2D, ResNet-50, Kinetics-400, ablation of the block: no global path at
# all, under the kernelized classifier of the local feature.
# (plain_2d_r50_k400.py is the plain network under the stock linear head.)
#
# Train:     bash tools/dist_train.sh \
#                configs/ablations/lgd2d_r50_k400_plain.py 8
# Test:      bash tools/dist_test.sh \
#                configs/ablations/lgd2d_r50_k400_plain.py \
#                work_dirs/lgd2d_r50_k400_plain/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 16 triple frames each (batch 128); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = '../lgd2d_r50_k400.py'

model = dict(
    backbone=dict(diffusion=None),
    cls_head=dict(features=('local',)),
)
