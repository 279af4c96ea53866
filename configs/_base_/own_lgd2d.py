# LGD-2D for own videos, from 2D weights or a checkpoint, on one GPU. All
# numbers are choices, not tried on real data; docs/own_data.md.
_base_ = ['lgd2d_rgb.py', 'own_schedule.py']

train_dataloader = dict(num_workers=4)
val_dataloader = test_dataloader = dict(num_workers=4)
optim_wrapper = dict(optimizer=dict(lr=0.002))
param_scheduler = _base_.own.param_scheduler
custom_hooks = _base_.own.custom_hooks
train_cfg = _base_.own.train_cfg
default_hooks = _base_.own.default_hooks
auto_scale_lr = dict(base_batch_size=16)
