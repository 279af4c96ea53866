# UCF101-24 by tools/data/ucf101_24.py; only split 1 has published corrected
# annotations. Videos are UCF101's, flow is by extract_flow.py; flow240 (short
# side 240) is for LGD-2D: flow is in pixels of its own size.
__ann = 'data/ucf101_24/ucf101_24_tubes.json'
__proposals = 'data/ucf101_24/ucf101_24_proposals.npz'
data = {
    kind: dict(
        train=dict(ann_file=__ann, frames_per_video=4, **source),
        # of tools/data/detect_people.py; None tests with the ground truth
        test=dict(ann_file=__ann, proposal_file=__proposals, **source),
        # untrimmed videos: tubes are cut where their class is not seen
        metric=dict(ann_file=__ann, trimming=dict()),
    )
    for kind, source in dict(
        rgb=dict(data_prefix=dict(video='data/ucf101_24/videos')),
        flow=dict(
            data_prefix=dict(img='data/ucf101_24/flow'), modality='Flow'
        ),
        flow240=dict(
            data_prefix=dict(img='data/ucf101_24/flow_240'), modality='Flow'
        ),
    ).items()
}
