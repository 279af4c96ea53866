# J-HMDB flow, split 1; the configs of splits 2 and 3 change the split. By
# tools/data/jhmdb.py and tools/data/extract_flow.py.
_base_ = './tubes.py'

ann_file = 'data/jhmdb/jhmdb_tubes.json'
# of tools/data/detect_people.py; None tests with the ground truth boxes
proposal_file = 'data/jhmdb/jhmdb_proposals.npz'
train_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(img='data/jhmdb/flow'),
        modality='Flow',
        frames_per_video=8,
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(img='data/jhmdb/flow'),
        modality='Flow',
        proposal_file=proposal_file,
    ),
)
test_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(img='data/jhmdb/flow'),
        modality='Flow',
        proposal_file=proposal_file,
    ),
)
val_evaluator = dict(ann_file=ann_file)
test_evaluator = dict(ann_file=ann_file)
