# UCF101-24, flow; by tools/data/ucf101_24.py and extract_flow.py, short side
# 240 for LGD-2D: flow is in pixels of the size that it was extracted at.
__common = dict(
    ann_file='data/ucf101_24/ucf101_24_tubes.json',
    data_prefix=dict(img='data/ucf101_24/flow_240'),
    modality='Flow',
)
data = dict(
    train=dict(frames_per_video=4, **__common),
    # of tools/data/detect_people.py; None tests with the ground truth boxes
    test=dict(
        proposal_file='data/ucf101_24/ucf101_24_proposals.npz', **__common
    ),
    # untrimmed videos: tubes are cut where their class is not seen
    metric=dict(ann_file=__common['ann_file'], trimming=dict()),
)
