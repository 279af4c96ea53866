# LGD-2D, ResNet-101, HMDB51 split 3, flow: fine-tuned from lgd2d_flow_k400.py,
# new classifiers, both stages.
#
# Train:     bash tools/dist_train.sh configs/lgd2d_flow_hmdb51_split3.py 8
# Test:      bash tools/dist_test.sh configs/lgd2d_flow_hmdb51_split3.py \
#                work_dirs/lgd2d_flow_hmdb51_split3/epoch_30.pth 8
# Hardware:  written for 8 GPUs with 16 triple frames each (batch 128); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = './lgd2d_flow_hmdb51_split1.py'

train_dataloader = dict(
    dataset=dict(ann_file='data/hmdb51/hmdb51_train_split_3_rawframes.txt')
)
val_dataloader = dict(
    dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_3_rawframes.txt')
)
test_dataloader = dict(
    dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_3_rawframes.txt')
)
