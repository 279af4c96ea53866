# The stock SlowOnly baseline with a global path: another backbone.type, and a
# head that takes (local, global).
#
# Train:     bash tools/dist_train.sh \
#                configs/examples/slowonly_lgd_r50_k400.py 8
# Test:      bash tools/dist_test.sh \
#                configs/examples/slowonly_lgd_r50_k400.py \
#                work_dirs/slowonly_lgd_r50_k400/epoch_150.pth 8
# Hardware:  written for 8 GPUs with 16 clips each (the stock recipe); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
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
