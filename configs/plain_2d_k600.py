# The baseline of lgd2d_k600.py: the same network without a global path, stock
# linear head, one stage.
#
# Train:     bash tools/dist_train.sh configs/plain_2d_k600.py 8
# Test:      bash tools/dist_test.sh configs/plain_2d_k600.py \
#                work_dirs/plain_2d_k600/epoch_50.pth 8
# Hardware:  written for 8 GPUs with 16 triple frames each (batch 128); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = './lgd2d_k600.py'

model = dict(
    backbone=dict(diffusion=None),
    cls_head=dict(
        _delete_=True,
        type='I3DHead',
        num_classes=600,
        in_channels=2048,
        spatial_type='avg',
        dropout_ratio=0.5,
        average_clips='prob',
    ),
)
custom_hooks = []
