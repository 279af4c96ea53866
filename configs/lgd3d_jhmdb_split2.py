# LGD-3D, ResNet-101, J-HMDB split 2, RGB: detection, fine-tuned from
# lgd3d_k400.py.
#
# Train:     bash tools/dist_train.sh configs/lgd3d_jhmdb_split2.py 8
# Test:      bash tools/dist_test.sh configs/lgd3d_jhmdb_split2.py \
#                work_dirs/lgd3d_jhmdb_split2/epoch_20.pth 8
# Hardware:  written for 8 GPUs with 4 clips each (batch 32); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = './lgd3d_jhmdb_split1.py'

train_dataloader = dict(dataset=dict(split=2))
val_dataloader = dict(dataset=dict(split=2))
test_dataloader = dict(dataset=dict(split=2))
val_evaluator = dict(split=2)
test_evaluator = dict(split=2)
