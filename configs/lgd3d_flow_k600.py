# LGD-3D, ResNet-101, Kinetics-600 flow: 16x112x112 clips, both stages in one
# run.
#
# Train:     bash tools/dist_train.sh configs/lgd3d_flow_k600.py 8
# Test:      bash tools/dist_test.sh configs/lgd3d_flow_k600.py \
#                work_dirs/lgd3d_flow_k600/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: 75.0 / 92.4 top-1 / top-5 (recalled), ResNet-101 LGD-3D with
#            128-frame clips: no target for this config
# Measured:  not measured here
_base_ = [
    '_base_/models/lgd3d_flow_r50.py',
    '_base_/datasets/kinetics600_flow.py',
    '_base_/pipelines/lgd3d_flow.py',
    '_base_/schedules/two_stage_sgd_50e.py',
    '_base_/default_runtime.py',
]

model = dict(
    backbone=dict(depth=101, pretrained='torchvision://resnet101'),
    cls_head=dict(num_classes=600),
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(pipeline=_base_.train_pipeline),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(pipeline=_base_.val_pipeline),
)
test_dataloader = dict(
    dataset=dict(pipeline=_base_.test_pipeline),
)
auto_scale_lr = dict(base_batch_size=64)
