# UCF101-24, split 1, the only one with published corrected annotations (by
# tools/data/ucf101_24.py); the videos are those of UCF101, flow is made by
# extract_flow.py; flow240, of short side 240, is for LGD-2D: flow is in pixels
# of the size that it was extracted at.
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
