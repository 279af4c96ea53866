# LGD-2D, ResNet-101, HMDB51 split 1, flow: fine-tuned from lgd2d_flow_k400.py,
# new classifiers, both stages.
#
# Train:     bash tools/dist_train.sh configs/lgd2d_flow_hmdb51_split1.py 8
# Test:      bash tools/dist_test.sh configs/lgd2d_flow_hmdb51_split1.py \
#                work_dirs/lgd2d_flow_hmdb51_split1/epoch_30.pth 8
# Hardware:  written for 8 GPUs with 16 triple frames each (batch 128); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = [
    '_base_/models/lgd2d_flow_r50.py',
    '_base_/datasets/hmdb51_flow_240.py',
    '_base_/pipelines/lgd2d_flow.py',
    '_base_/schedules/two_stage_sgd_finetune_30e.py',
    '_base_/default_runtime.py',
]

# or work_dirs/lgd2d_flow_k600/epoch_50.pth
load_from = 'work_dirs/lgd2d_flow_k400/epoch_50.pth'
model = dict(
    backbone=dict(depth=101, pretrained=None),
    cls_head=dict(num_classes=51),
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
