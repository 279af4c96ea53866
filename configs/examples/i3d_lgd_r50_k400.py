# The stock I3D baseline with a global path. Numbers: docs/configs.md
_base_ = (
    'mmaction::recognition/'
    'i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'
)
custom_imports = dict(imports=['lgd_mmaction'], allow_failed_imports=False)
find_unused_parameters = True

model = dict(
    backbone=dict(type='LGDResNet3d'),
    # the stock head that takes two feature maps: [local, global] -> linear
    cls_head=dict(type='SlowFastHead', in_channels=4096),
)
