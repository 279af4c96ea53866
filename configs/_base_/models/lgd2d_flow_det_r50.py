# LGD-2D as a detector's backbone on optical flow: x and y, 128 = no motion.
_base_ = './lgd2d_det_r50.py'

model = dict(
    backbone=dict(in_channels=2),
    data_preprocessor=dict(mean=[128, 128], std=[128, 128]),
)
