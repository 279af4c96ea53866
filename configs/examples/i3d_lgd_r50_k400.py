# The stock I3D baseline with a global path: another backbone.type, and a head
# that takes (local, global).
#
# Train:     bash tools/dist_train.sh configs/examples/i3d_lgd_r50_k400.py 8
# Test:      bash tools/dist_test.sh configs/examples/i3d_lgd_r50_k400.py \
#                work_dirs/i3d_lgd_r50_k400/epoch_100.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (the stock recipe); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
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
