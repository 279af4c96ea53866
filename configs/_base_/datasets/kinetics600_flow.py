# Kinetics-600 flow. Made by tools/data/kinetics.py
# and tools/data/extract_flow.py.
_base_ = './flow_frames.py'

train_dataloader = dict(
    dataset=dict(
        ann_file='data/kinetics600/kinetics600_train_list_rawframes.txt',
        data_prefix=dict(img='data/kinetics600/rawframes_train'),
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file='data/kinetics600/kinetics600_val_list_rawframes.txt',
        data_prefix=dict(img='data/kinetics600/rawframes_val'),
    ),
)
test_dataloader = dict(
    dataset=dict(
        ann_file='data/kinetics600/kinetics600_val_list_rawframes.txt',
        data_prefix=dict(img='data/kinetics600/rawframes_val'),
    ),
)
