# Loaders of an annotation file of tubes; the data sets add their paths.
#
# train  runs of key frames, one frame of each run drawn anew every epoch;
#        the ground truth boxes are the proposals
# val, test   every frame, with the boxes of a person detector: the metric
#        counts what is annotated in other frames as missed
train_dataloader = dict(
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ActionTubeDataset', split=1, subset='train'),
)
# AVARoIHead tests one frame at a time
val_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ActionTubeDataset', split=1, subset='test', test_mode=True
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ActionTubeDataset', split=1, subset='test', test_mode=True
    ),
)

# a video that cannot be read: see videos.py
val_evaluator = dict(
    type='TubeMetric', split=1, subset='test', bad_videos='wrong'
)
test_evaluator = dict(type='TubeMetric', split=1, subset='test')
