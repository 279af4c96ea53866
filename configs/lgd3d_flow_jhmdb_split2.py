# LGD-3D, ResNet-101, J-HMDB split 2, flow: detection, fine-tuned from
# lgd3d_flow_k400.py.
#
# Train:     bash tools/dist_train.sh configs/lgd3d_flow_jhmdb_split2.py 8
# Test:      bash tools/dist_test.sh configs/lgd3d_flow_jhmdb_split2.py \
#                work_dirs/lgd3d_flow_jhmdb_split2/epoch_20.pth 8
# Hardware:  written for 8 GPUs with 4 clips each (batch 32); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = [
    '_base_/models/lgd3d_flow_det_r50.py',
    '_base_/datasets/jhmdb_tubes_flow.py',
    '_base_/pipelines/lgd3d_det_frames.py',
    '_base_/schedules/det_sgd_20e.py',
    '_base_/det_runtime.py',
]

# or work_dirs/lgd3d_flow_k600/epoch_50.pth
load_from = 'work_dirs/lgd3d_flow_k400/epoch_50.pth'
model = dict(
    backbone=dict(depth=101),
    roi_head=dict(bbox_head=dict(num_classes=21)),
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(split=2, pipeline=_base_.train_pipeline),
)
val_dataloader = dict(dataset=dict(split=2, pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(split=2, pipeline=_base_.test_pipeline))
val_evaluator = dict(split=2)
test_evaluator = dict(split=2)
optim_wrapper = dict(optimizer=dict(lr=0.005))
auto_scale_lr = dict(base_batch_size=32)
