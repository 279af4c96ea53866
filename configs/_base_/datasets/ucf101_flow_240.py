# ucf101_flow.py for LGD-2D: extracted at short side 240, because flow is in
# pixels of the size that it was extracted at.
_base_ = './ucf101_flow.py'

train_dataloader = dict(
    dataset=dict(data_prefix=dict(img='data/ucf101/rawframes_240'))
)
val_dataloader = dict(
    dataset=dict(data_prefix=dict(img='data/ucf101/rawframes_240'))
)
test_dataloader = dict(
    dataset=dict(data_prefix=dict(img='data/ucf101/rawframes_240'))
)
