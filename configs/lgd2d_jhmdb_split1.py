# LGD-2D, ResNet-101, J-HMDB split 1, RGB: detection, fine-tuned from
# lgd2d_k400.py.
#
# Train:     bash tools/dist_train.sh configs/lgd2d_jhmdb_split1.py 8
# Test:      bash tools/dist_test.sh configs/lgd2d_jhmdb_split1.py \
#                work_dirs/lgd2d_jhmdb_split1/epoch_20.pth 8
# Hardware:  written for 8 GPUs with 8 triples each (batch 64); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = [
    '_base_/models/lgd2d_det_r50.py',
    '_base_/datasets/jhmdb_tubes_rgb.py',
    '_base_/pipelines/lgd2d_det_frames.py',
    '_base_/schedules/det_sgd_20e.py',
    '_base_/det_runtime.py',
]

# or work_dirs/lgd2d_k600/epoch_50.pth
load_from = 'work_dirs/lgd2d_k400/epoch_50.pth'
model = dict(
    backbone=dict(depth=101),
    roi_head=dict(bbox_head=dict(num_classes=21)),
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(pipeline=_base_.train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
auto_scale_lr = dict(base_batch_size=64)
