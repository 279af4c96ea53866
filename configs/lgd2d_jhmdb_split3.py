# LGD-2D, ResNet-101, J-HMDB split 3, RGB: detection, fine-tuned from
# lgd2d_k400.py.
#
# Train:     bash tools/dist_train.sh configs/lgd2d_jhmdb_split3.py 8
# Test:      bash tools/dist_test.sh configs/lgd2d_jhmdb_split3.py \
#                work_dirs/lgd2d_jhmdb_split3/epoch_20.pth 8
# Hardware:  written for 8 GPUs with 8 triples each (batch 64); memory not
#            measured here
# Published: no number known for this network
# Measured:  not measured here
_base_ = './lgd2d_jhmdb_split1.py'

train_dataloader = dict(dataset=dict(split=3))
val_dataloader = dict(dataset=dict(split=3))
test_dataloader = dict(dataset=dict(split=3))
val_evaluator = dict(split=3)
test_evaluator = dict(split=3)
