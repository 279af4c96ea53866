# lgd3d_ucf101_24.py with a 25th class "background", from detector boxes of the
# training videos that overlap no ground truth. Needs proposals of those videos
# too: detect_people.py without --subset. Numbers: docs/configs.md
_base_ = '../lgd3d_ucf101_24.py'

train_dataloader = dict(
    dataset=dict(
        proposal_file=_base_.data.rgb.test.proposal_file, background=True
    )
)
model = dict(
    roi_head=dict(bbox_head=dict(type='BackgroundBBoxHead', num_classes=25))
)
