# UCF101-24 flow, split 1. By tools/data/ucf101_24.py and
# tools/data/extract_flow.py.
_base_ = './tubes.py'

ann_file = 'data/ucf101_24/ucf101_24_tubes.json'
# of tools/data/detect_people.py; None tests with the ground truth boxes
proposal_file = 'data/ucf101_24/ucf101_24_proposals.npz'
train_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(img='data/ucf101_24/flow'),
        modality='Flow',
        frames_per_video=4,
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(img='data/ucf101_24/flow'),
        modality='Flow',
        proposal_file=proposal_file,
    ),
)
test_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(img='data/ucf101_24/flow'),
        modality='Flow',
        proposal_file=proposal_file,
    ),
)
# untrimmed videos: tubes are cut where their class is not seen
val_evaluator = dict(ann_file=ann_file, trimming=dict())
test_evaluator = dict(ann_file=ann_file, trimming=dict())
