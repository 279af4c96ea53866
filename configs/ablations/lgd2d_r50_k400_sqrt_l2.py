# LGD-2D, ResNet-50, Kinetics-400, ablation of the classifier: signed square
# root and L2 normalisation of both sketches, as compact bilinear pooling does.
#
# Train:     bash tools/dist_train.sh \
#                configs/ablations/lgd2d_r50_k400_sqrt_l2.py 8
# Test:      bash tools/dist_test.sh \
#                configs/ablations/lgd2d_r50_k400_sqrt_l2.py \
#                work_dirs/lgd2d_r50_k400_sqrt_l2/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 16 triple frames each (batch 128); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = '../lgd2d_r50_k400.py'

model = dict(cls_head=dict(signed_sqrt_l2=True))
