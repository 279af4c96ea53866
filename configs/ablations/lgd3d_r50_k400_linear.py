# LGD-3D, ResNet-50, Kinetics-400, ablation of the classifier: the two linear
# classifiers of stage 1 for all 50 epochs, mean of both softmaxes.
#
# Train:     bash tools/dist_train.sh \
#                configs/ablations/lgd3d_r50_k400_linear.py 8
# Test:      bash tools/dist_test.sh \
#                configs/ablations/lgd3d_r50_k400_linear.py \
#                work_dirs/lgd3d_r50_k400_linear/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = '../lgd3d_r50_k400.py'

custom_hooks = [dict(type='TwoStageHook', switch_epoch=50)]
