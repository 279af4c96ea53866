# The stock R(2+1)D baseline with a global path: another backbone.type, and a
# head that takes (local, global).
#
# Train:     bash tools/dist_train.sh \
#                configs/examples/r2plus1d_lgd_r34_k400.py 8
# Test:      bash tools/dist_test.sh \
#                configs/examples/r2plus1d_lgd_r34_k400.py \
#                work_dirs/r2plus1d_lgd_r34_k400/epoch_180.pth 8
# Hardware:  written for 8 GPUs with 8 clips each (the stock recipe); memory
#            not measured here
# Published: no number known for this network
# Measured:  not measured here
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
