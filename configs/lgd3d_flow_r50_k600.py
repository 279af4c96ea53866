# LGD-3D, ResNet-50, Kinetics-600 flow: 16x112x112 clips, both stages in one
# run.
#
# Train:     bash tools/dist_train.sh configs/lgd3d_flow_r50_k600.py 8
# Test:      bash tools/dist_test.sh configs/lgd3d_flow_r50_k600.py \
#                work_dirs/lgd3d_flow_r50_k600/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = './lgd3d_flow_k600.py'

model = dict(backbone=dict(depth=50, pretrained='torchvision://resnet50'))
