# J-HMDB RGB, split 1; the configs of splits 2 and 3 change the split.
# Annotations by tools/data/jhmdb.py; the frames as they are distributed
# (Rename_Images).
_base_ = './tubes.py'

ann_file = 'data/jhmdb/jhmdb_tubes.json'
# of tools/data/detect_people.py; None tests with the ground truth boxes
proposal_file = 'data/jhmdb/jhmdb_proposals.npz'
train_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(img='data/jhmdb/rawframes'),
        use_frames=True,
        filename_tmpl='{:05}.png',
        frames_per_video=8,
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(img='data/jhmdb/rawframes'),
        use_frames=True,
        filename_tmpl='{:05}.png',
        proposal_file=proposal_file,
    ),
)
test_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(img='data/jhmdb/rawframes'),
        use_frames=True,
        filename_tmpl='{:05}.png',
        proposal_file=proposal_file,
    ),
)
val_evaluator = dict(ann_file=ann_file)
test_evaluator = dict(ann_file=ann_file)
