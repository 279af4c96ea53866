# The stock Swin-T baseline, untouched, with a global path beside it: a neck,
# and a head that takes (local, global).
#
# Train:     bash tools/dist_train.sh \
#                configs/examples/swin_tiny_lgd_neck_k400.py 8
# Test:      bash tools/dist_test.sh \
#                configs/examples/swin_tiny_lgd_neck_k400.py \
#                work_dirs/swin_tiny_lgd_neck_k400/epoch_30.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (the stock recipe); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
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
