# J-HMDB, flow; by tools/data/jhmdb.py and extract_flow.py, short side 240
# for LGD-2D: flow is in pixels of the size that it was extracted at.
__common = dict(
    ann_file='data/jhmdb/jhmdb_tubes.json',
    data_prefix=dict(img='data/jhmdb/flow_240'),
    modality='Flow',
)
data = dict(
    train=dict(frames_per_video=8, **__common),
    # of tools/data/detect_people.py; None tests with the ground truth boxes
    test=dict(proposal_file='data/jhmdb/jhmdb_proposals.npz', **__common),
    metric=dict(ann_file=__common['ann_file']),
)
