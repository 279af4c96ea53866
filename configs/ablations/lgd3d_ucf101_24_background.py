# LGD-3D, ResNet-101, UCF101-24 split 1, ablation of detection: a 25th class
# "background", from detector boxes of the training videos that overlap no
# ground truth. Needs proposals of the training videos too: detect_people.py
# without --subset.
#
# Train:     bash tools/dist_train.sh \
#                configs/ablations/lgd3d_ucf101_24_background.py 8
# Test:      bash tools/dist_test.sh \
#                configs/ablations/lgd3d_ucf101_24_background.py \
#                work_dirs/lgd3d_ucf101_24_background/epoch_20.pth 8
# Hardware:  written for 8 GPUs with 4 clips each (batch 32); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = '../lgd3d_ucf101_24.py'

train_dataloader = dict(
    dataset=dict(proposal_file=_base_.proposal_file, background=True)
)
model = dict(
    roi_head=dict(
        bbox_head=dict(type='BackgroundBBoxHead', num_classes=25),
    ),
)
