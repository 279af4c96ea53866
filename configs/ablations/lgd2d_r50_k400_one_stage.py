# LGD-2D, ResNet-50, Kinetics-400, ablation of the training: the kernelized
# classifier from the first epoch, no stage 1.
# Numbers: docs/configs.md
_base_ = '../lgd2d_r50_k400.py'

custom_hooks = [dict(type='TwoStageHook', switch_epoch=0)]
