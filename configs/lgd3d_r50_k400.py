# LGD-3D, ResNet-50, Kinetics-400 RGB: 16x112x112 clips, both stages in one
# run.
#
# Train:     bash tools/dist_train.sh configs/lgd3d_r50_k400.py 8
# Test:      bash tools/dist_test.sh configs/lgd3d_r50_k400.py \
#                work_dirs/lgd3d_r50_k400/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = './lgd3d_k400.py'

model = dict(backbone=dict(depth=50, pretrained='torchvision://resnet50'))
