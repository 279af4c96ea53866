# LGD-3D as a detector's backbone, as lgd2d_det_r50.py.
_base_ = './lgd2d_det_r50.py'

# as in lgd3d_r50.py
model = dict(
    backbone=dict(
        pseudo3d='A',
        inflate=(1, 1, 1, 1),
        inflate_style='3x3x3',
        temporal_strides=(1, 2, 2, 2),
    ),
)
