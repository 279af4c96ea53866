# The stock R(2+1)D baseline with a global path. Numbers: docs/configs.md
_base_ = (
    'mmaction::recognition/'
    'r2plus1d/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb.py'
)
custom_imports = dict(imports=['lgd_mmaction'], allow_failed_imports=False)
find_unused_parameters = True

model = dict(
    backbone=dict(type='LGDResNet2Plus1d'),
    # the stock head that takes two feature maps: [local, global] -> linear
    cls_head=dict(type='SlowFastHead', in_channels=1024),
)
