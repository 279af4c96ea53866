# LGD-3D, ResNet-101, UCF101-24 split 1, RGB: detection, fine-tuned from
# lgd3d_k400.py.
#
# Train:     bash tools/dist_train.sh configs/lgd3d_ucf101_24.py 8
# Test:      bash tools/dist_test.sh configs/lgd3d_ucf101_24.py \
#                work_dirs/lgd3d_ucf101_24/epoch_20.pth 8
# Hardware:  written for 8 GPUs with 4 clips each (batch 32); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = [
    '_base_/models/lgd3d_det_r50.py',
    '_base_/datasets/ucf101_24_tubes_rgb.py',
    '_base_/pipelines/lgd3d_det_video.py',
    '_base_/schedules/det_sgd_20e.py',
    '_base_/det_runtime.py',
]

# or work_dirs/lgd3d_k600/epoch_50.pth
load_from = 'work_dirs/lgd3d_k400/epoch_50.pth'
model = dict(
    backbone=dict(depth=101),
    roi_head=dict(bbox_head=dict(num_classes=24)),
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(pipeline=_base_.train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=0.005))
# about 166,000 test frames: validation once, after the last epoch
train_cfg = dict(val_begin=20, val_interval=20)
auto_scale_lr = dict(base_batch_size=32)
