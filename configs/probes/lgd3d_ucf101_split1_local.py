# Linear probe on UCF101 split 1: the frozen local feature P(x_L) of LGD-3D
# trained on Kinetics-400.
#
# Train:     bash tools/dist_train.sh \
#                configs/probes/lgd3d_ucf101_split1_local.py 8
# Test:      bash tools/dist_test.sh \
#                configs/probes/lgd3d_ucf101_split1_local.py \
#                work_dirs/lgd3d_ucf101_split1_local/epoch_30.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = [
    '../_base_/models/lgd3d_r50.py',
    '../_base_/datasets/ucf101_rgb.py',
    '../_base_/pipelines/lgd3d_rgb.py',
    '../_base_/schedules/probe_sgd_30e.py',
    '../_base_/default_runtime.py',
]

load_from = 'work_dirs/lgd3d_k400/epoch_50.pth'
model = dict(
    backbone=dict(depth=101, pretrained=None, frozen_stages=4),
    cls_head=dict(num_classes=101, features=('local',)),
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
