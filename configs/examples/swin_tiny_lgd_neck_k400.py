# Stock Swin-T, untouched, a global path beside it. Numbers: docs/configs.md
_base_ = (
    'mmaction::recognition/'
    'swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb.py'
)
custom_imports = dict(imports=['lgd_mmaction'], allow_failed_imports=False)
find_unused_parameters = True

model = dict(
    neck=dict(type='DiffusionNeck', in_channels=768, num_blocks=1),
    # the stock head that takes two feature maps: [local, global] -> linear
    cls_head=dict(type='SlowFastHead', in_channels=1536),
)

# the stock recipe does not clip; norms below 40 are left as they are
optim_wrapper = dict(clip_grad=dict(max_norm=40, norm_type=2))
