# J-HMDB by tools/data/jhmdb.py, frames as distributed (Rename_Images), flow by
# extract_flow.py; flow240 (short side 240) is for LGD-2D: flow is in pixels of
# its own size.
__ann = 'data/jhmdb/jhmdb_tubes.json'
__proposals = 'data/jhmdb/jhmdb_proposals.npz'
data = {
    kind: dict(
        train=dict(ann_file=__ann, frames_per_video=8, **source),
        # of tools/data/detect_people.py; None tests with the ground truth
        test=dict(ann_file=__ann, proposal_file=__proposals, **source),
        metric=dict(ann_file=__ann),
    )
    for kind, source in dict(
        rgb=dict(
            data_prefix=dict(img='data/jhmdb/rawframes'),
            use_frames=True,
            filename_tmpl='{:05}.png',
        ),
        flow=dict(data_prefix=dict(img='data/jhmdb/flow'), modality='Flow'),
        flow240=dict(
            data_prefix=dict(img='data/jhmdb/flow_240'), modality='Flow'
        ),
    ).items()
}
