# ucf101_24_tubes_flow.py for LGD-2D: extracted at short side 240, because
# flow is in pixels of the size that it was extracted at.
_base_ = './ucf101_24_tubes_flow.py'

prefix = dict(img='data/ucf101_24/flow_240')
train_dataloader = dict(dataset=dict(data_prefix=prefix))
val_dataloader = dict(dataset=dict(data_prefix=prefix))
test_dataloader = dict(dataset=dict(data_prefix=prefix))
