# The stock SlowOnly baseline with a global path and the kernelized classifier,
# both stages in one run. Numbers: docs/configs.md
_base_ = (
    'mmaction::recognition/'
    'slowonly/slowonly_imagenet-pretrained-r50_8xb16-4x16x1-steplr-150e_kinetics400-rgb.py'
)
custom_imports = dict(imports=['lgd_mmaction'], allow_failed_imports=False)
find_unused_parameters = True

model = dict(
    backbone=dict(type='LGDResNet3dSlowOnly'),
    cls_head=dict(
        _delete_=True,
        type='KernelizedHead',
        num_classes=400,
        in_channels=2048,
        dropout_ratio=0.5,
        average_clips='prob',
    ),
)
# stage 2 begins where the stock schedule first lowers the learning rate
custom_hooks = [dict(type='TwoStageHook', switch_epoch=90)]
