# Kinetics-400 flow. Made by tools/data/kinetics.py
# and tools/data/extract_flow.py.
_base_ = './flow_frames.py'

train_dataloader = dict(
    dataset=dict(
        ann_file='data/kinetics400/kinetics400_train_list_rawframes.txt',
        data_prefix=dict(img='data/kinetics400/rawframes_train'),
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file='data/kinetics400/kinetics400_val_list_rawframes.txt',
        data_prefix=dict(img='data/kinetics400/rawframes_val'),
    ),
)
test_dataloader = dict(
    dataset=dict(
        ann_file='data/kinetics400/kinetics400_val_list_rawframes.txt',
        data_prefix=dict(img='data/kinetics400/rawframes_val'),
    ),
)
