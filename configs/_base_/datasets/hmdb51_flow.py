# HMDB51 flow, split 1; the configs of splits 2 and 3 change the lists. Made by
# tools/data/hmdb51.py and tools/data/extract_flow.py.
_base_ = './flow_frames.py'

train_dataloader = dict(
    dataset=dict(
        ann_file='data/hmdb51/hmdb51_train_split_1_rawframes.txt',
        data_prefix=dict(img='data/hmdb51/rawframes'),
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file='data/hmdb51/hmdb51_val_split_1_rawframes.txt',
        data_prefix=dict(img='data/hmdb51/rawframes'),
    ),
)
test_dataloader = dict(
    dataset=dict(
        ann_file='data/hmdb51/hmdb51_val_split_1_rawframes.txt',
        data_prefix=dict(img='data/hmdb51/rawframes'),
    ),
)
