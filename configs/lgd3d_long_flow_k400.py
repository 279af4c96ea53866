# LGD-3D long, ResNet-101, Kinetics-400 flow: 128x112x112 clips, fine-tuned
# from lgd3d_flow_k400.py, stage 2 only.
#
# Train:     bash tools/dist_train.sh configs/lgd3d_long_flow_k400.py 8
# Test:      bash tools/dist_test.sh configs/lgd3d_long_flow_k400.py \
#                work_dirs/lgd3d_long_flow_k400/epoch_15.pth 8
# Hardware:  written for 8 GPUs with 2 clips each (batch 16), gradient
#            checkpointing on: 2.5 GiB kept for the backward pass, 4.5
#            without it (tools/benchmarks/activation_memory.py); peak on a GPU
#            not measured here
# Published: 72.3 / 90.9 top-1 / top-5 (recalled), of a 128-frame ResNet-101
#            LGD-3D; its schedule is not known
# Measured:  not measured here
#
# Batch norm keeps the statistics of the 16-frame run: 2 clips a GPU are too
# few.
_base_ = [
    '_base_/models/lgd3d_flow_r50.py',
    '_base_/datasets/kinetics400_flow.py',
    '_base_/pipelines/lgd3d_long_flow.py',
    '_base_/schedules/two_stage_sgd_long_15e.py',
    '_base_/default_runtime.py',
]

load_from = 'work_dirs/lgd3d_flow_k400/epoch_50.pth'
model = dict(
    backbone=dict(depth=101, pretrained=None, norm_eval=True, with_cp=True),
    cls_head=dict(num_classes=400),
    # clips that go through the network at once when a video is tested
    test_cfg=dict(max_testing_views=5),
)
train_dataloader = dict(
    batch_size=2,
    dataset=dict(pipeline=_base_.train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    dataset=dict(pipeline=_base_.val_pipeline),
)
test_dataloader = dict(
    dataset=dict(pipeline=_base_.test_pipeline),
)
auto_scale_lr = dict(base_batch_size=16)
