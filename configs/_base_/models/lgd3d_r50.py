# LGD-3D: every 3D convolution is a 1x3x3 followed by a 3x1x1 (kind A); time
# is halved at res3, res4 and res5 (16 frames -> 2).
_base_ = './lgd2d_r50.py'

model = dict(
    backbone=dict(
        pseudo3d='A',
        inflate=(1, 1, 1, 1),
        inflate_style='3x3x3',
        temporal_strides=(1, 2, 2, 2),
    ),
)
