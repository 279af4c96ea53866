# lgd3d_r50_k400.py with the linear classifiers of stage 1 for all 50 epochs,
# mean of both softmaxes. Numbers: docs/configs.md
_base_ = '../lgd3d_r50_k400.py'

custom_hooks = [dict(type='TwoStageHook', switch_epoch=50)]
