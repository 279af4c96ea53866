# LGD-3D, ResNet-101, HMDB51 split 3, RGB: fine-tuned from lgd3d_k400.py, new
# classifiers, both stages.
#
# Train:     bash tools/dist_train.sh configs/lgd3d_hmdb51_split3.py 8
# Test:      bash tools/dist_test.sh configs/lgd3d_hmdb51_split3.py \
#                work_dirs/lgd3d_hmdb51_split3/epoch_30.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (batch 64); memory not
#            measured here
# Published: 75.7 top-1, mean of 3 splits (recalled), ResNet-101 LGD-3D with
#            128-frame clips: no target for this config
# Measured:  not measured here
_base_ = './lgd3d_hmdb51_split1.py'

train_dataloader = dict(
    dataset=dict(ann_file='data/hmdb51/hmdb51_train_split_3_videos.txt')
)
val_dataloader = dict(
    dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_3_videos.txt')
)
test_dataloader = dict(
    dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_3_videos.txt')
)
