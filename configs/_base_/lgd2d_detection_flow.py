# lgd2d_detection.py on optical flow: x and y, 128 = no motion.
_base_ = 'lgd2d_detection.py'

model = dict(
    backbone=dict(in_channels=2),
    data_preprocessor=dict(mean=[128, 128], std=[128, 128]),
)
