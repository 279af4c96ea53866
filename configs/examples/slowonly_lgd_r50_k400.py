# The stock SlowOnly baseline with a global path. Numbers: docs/configs.md
_base_ = (
    'mmaction::recognition/'
    'slowonly/slowonly_imagenet-pretrained-r50_8xb16-4x16x1-steplr-150e_kinetics400-rgb.py'
)
custom_imports = dict(imports=['lgd_mmaction'], allow_failed_imports=False)
find_unused_parameters = True

model = dict(
    backbone=dict(type='LGDResNet3dSlowOnly'),
    # the stock head that takes two feature maps: [local, global] -> linear
    cls_head=dict(type='SlowFastHead', in_channels=4096),
)
