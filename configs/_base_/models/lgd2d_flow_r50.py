# LGD-2D on optical flow: x and y, 128 = no motion. The ImageNet stem is
# averaged over colour by the backbone.
_base_ = './lgd2d_r50.py'

model = dict(
    backbone=dict(in_channels=2),
    data_preprocessor=dict(mean=[128, 128], std=[128, 128]),
)
