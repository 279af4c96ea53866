# lgd3d_r50_k400.py, kernelized from the start. Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

custom_hooks = [dict(type='TwoStageHook', switch_epoch=0)]
