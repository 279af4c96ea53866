# Loaders of a labelled list of videos; the data sets add their paths.
train_dataloader = dict(
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='RobustVideoDataset'),
)
val_dataloader = dict(
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='RobustVideoDataset', test_mode=True),
)
# fully convolutional testing: videos differ in size, one at a time
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='RobustVideoDataset', test_mode=True),
)

# A video that cannot be read: training replaces it (and stops when they are
# more than 5 %), validation says so and counts it as wrong, because days of
# training should not end there; a test is an error that names them all.
val_evaluator = dict(type='RobustAccMetric', bad_videos='wrong')
test_evaluator = dict(type='RobustAccMetric')
