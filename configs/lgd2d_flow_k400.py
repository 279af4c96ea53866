# LGD-2D, ResNet-101, Kinetics-400 flow: triple frames at 224x224, both stages
# in one run.
#
# Train:     bash tools/dist_train.sh configs/lgd2d_flow_k400.py 8
# Test:      bash tools/dist_test.sh configs/lgd2d_flow_k400.py \
#                work_dirs/lgd2d_flow_k400/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 16 triple frames each (batch 128); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = [
    '_base_/models/lgd2d_flow_r50.py',
    '_base_/datasets/kinetics400_flow_240.py',
    '_base_/pipelines/lgd2d_flow.py',
    '_base_/schedules/two_stage_sgd_50e.py',
    '_base_/default_runtime.py',
]

model = dict(
    backbone=dict(depth=101, pretrained='torchvision://resnet101'),
    cls_head=dict(num_classes=400),
)
train_dataloader = dict(
    batch_size=16,
    dataset=dict(pipeline=_base_.train_pipeline),
)
val_dataloader = dict(
    batch_size=16,
    dataset=dict(pipeline=_base_.val_pipeline),
)
test_dataloader = dict(
    dataset=dict(pipeline=_base_.test_pipeline),
)
auto_scale_lr = dict(base_batch_size=128)
