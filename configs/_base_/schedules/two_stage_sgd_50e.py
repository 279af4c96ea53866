# Both stages in one run of 50 epochs. How the epochs are shared is a choice:
#   stage 1, linear classifiers:      epochs  0-29, lr 0.01, 0.001 from 20
#   stage 2, kernelized classifier:   epochs 30-49, lr 0.001, 0.0001 from 40
# so the learning rate is the paper's one staircase, and the new classifier
# never meets the largest step.
_base_ = './sgd_50e.py'

custom_hooks = [dict(type='TwoStageHook', switch_epoch=30)]
