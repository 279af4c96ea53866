# UCF101-24 RGB, split 1, the only one with published corrected annotations.
# Annotations by tools/data/ucf101_24.py; the videos are those of UCF101.
_base_ = './tubes.py'

ann_file = 'data/ucf101_24/ucf101_24_tubes.json'
# of tools/data/detect_people.py; None tests with the ground truth boxes
proposal_file = 'data/ucf101_24/ucf101_24_proposals.npz'
train_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(video='data/ucf101_24/videos'),
        frames_per_video=4,
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(video='data/ucf101_24/videos'),
        proposal_file=proposal_file,
    ),
)
test_dataloader = dict(
    dataset=dict(
        ann_file=ann_file,
        data_prefix=dict(video='data/ucf101_24/videos'),
        proposal_file=proposal_file,
    ),
)
# untrimmed videos: tubes are cut where their class is not seen
val_evaluator = dict(ann_file=ann_file, trimming=dict())
test_evaluator = dict(ann_file=ann_file, trimming=dict())
