# lgd2d_r50_k400.py, stage 1 (linear) to the end. Numbers: docs/configs.md
_base_ = '../lgd2d_r50_k400.py'

custom_hooks = [dict(type='TwoStageHook', switch_epoch=50)]
