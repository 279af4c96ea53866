# kinetics400_flow.py for LGD-2D: extracted at short side 240, as flow is in
# pixels of the size that it was extracted at.
_base_ = './kinetics400_flow.py'

train_dataloader = dict(
    dataset=dict(data_prefix=dict(img='data/kinetics400/rawframes_240_train'))
)
val_dataloader = dict(
    dataset=dict(data_prefix=dict(img='data/kinetics400/rawframes_240_val'))
)
test_dataloader = dict(
    dataset=dict(data_prefix=dict(img='data/kinetics400/rawframes_240_val'))
)
