# UCF101 flow, split 1; the configs of splits 2 and 3 change the lists. Made by
# tools/data/ucf101.py and tools/data/extract_flow.py.
_base_ = './flow_frames.py'

train_dataloader = dict(
    dataset=dict(
        ann_file='data/ucf101/ucf101_train_split_1_rawframes.txt',
        data_prefix=dict(img='data/ucf101/rawframes'),
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file='data/ucf101/ucf101_val_split_1_rawframes.txt',
        data_prefix=dict(img='data/ucf101/rawframes'),
    ),
)
test_dataloader = dict(
    dataset=dict(
        ann_file='data/ucf101/ucf101_val_split_1_rawframes.txt',
        data_prefix=dict(img='data/ucf101/rawframes'),
    ),
)
