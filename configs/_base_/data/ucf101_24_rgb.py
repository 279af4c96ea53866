# UCF101-24, split 1, the only one with published corrected annotations (by
# tools/data/ucf101_24.py); the videos are those of UCF101.
__common = dict(
    ann_file='data/ucf101_24/ucf101_24_tubes.json',
    data_prefix=dict(video='data/ucf101_24/videos'),
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
