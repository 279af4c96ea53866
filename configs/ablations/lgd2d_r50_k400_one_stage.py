# LGD-2D, ResNet-50, Kinetics-400, ablation of the training: the kernelized
# classifier from the first epoch, no stage 1.
#
# Train:     bash tools/dist_train.sh \
#                configs/ablations/lgd2d_r50_k400_one_stage.py 8
# Test:      bash tools/dist_test.sh \
#                configs/ablations/lgd2d_r50_k400_one_stage.py \
#                work_dirs/lgd2d_r50_k400_one_stage/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 16 triple frames each (batch 128); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = '../lgd2d_r50_k400.py'

custom_hooks = [dict(type='TwoStageHook', switch_epoch=0)]
