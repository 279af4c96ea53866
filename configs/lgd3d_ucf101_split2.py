# LGD-3D, ResNet-101, UCF101 split 2, RGB: fine-tuned from lgd3d_k400.py, new
# classifiers, both stages.
#
# Train:     bash tools/dist_train.sh configs/lgd3d_ucf101_split2.py 8
# Test:      bash tools/dist_test.sh configs/lgd3d_ucf101_split2.py \
#                work_dirs/lgd3d_ucf101_split2/epoch_30.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: 97.0 top-1, mean of 3 splits (recalled), ResNet-101 LGD-3D with
#            128-frame clips: no target for this config
# Measured:  not measured here
_base_ = './lgd3d_ucf101_split1.py'

train_dataloader = dict(
    dataset=dict(ann_file='data/ucf101/ucf101_train_split_2_videos.txt')
)
val_dataloader = dict(
    dataset=dict(ann_file='data/ucf101/ucf101_val_split_2_videos.txt')
)
test_dataloader = dict(
    dataset=dict(ann_file='data/ucf101/ucf101_val_split_2_videos.txt')
)
