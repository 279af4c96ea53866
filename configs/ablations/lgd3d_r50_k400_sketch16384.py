# LGD-3D, ResNet-50, Kinetics-400, ablation of the sketch: D = 16384 per path
# (the main config has 8192).
#
# Train:     bash tools/dist_train.sh \
#                configs/ablations/lgd3d_r50_k400_sketch16384.py 8
# Test:      bash tools/dist_test.sh \
#                configs/ablations/lgd3d_r50_k400_sketch16384.py \
#                work_dirs/lgd3d_r50_k400_sketch16384/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = '../lgd3d_r50_k400.py'

model = dict(cls_head=dict(sketch_dim=16384))
