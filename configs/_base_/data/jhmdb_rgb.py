# J-HMDB, the frames as they are distributed (Rename_Images); annotations by
# tools/data/jhmdb.py.
__common = dict(
    ann_file='data/jhmdb/jhmdb_tubes.json',
    data_prefix=dict(img='data/jhmdb/rawframes'),
    use_frames=True,
    filename_tmpl='{:05}.png',
)
data = dict(
    train=dict(frames_per_video=8, **__common),
    # of tools/data/detect_people.py; None tests with the ground truth boxes
    test=dict(proposal_file='data/jhmdb/jhmdb_proposals.npz', **__common),
    metric=dict(ann_file=__common['ann_file']),
)
