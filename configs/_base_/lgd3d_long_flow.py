# lgd3d_long_rgb.py on flow.
_base_ = 'lgd3d_flow.py'

model = dict(
    backbone=dict(pretrained=None, norm_eval=True, with_cp=True),
    test_cfg=dict(max_testing_views=5),
)
train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
for __pipeline in (train_pipeline, val_pipeline, test_pipeline):
    for __step in __pipeline:
        if __step['type'] == 'SampleFrames':
            __step['clip_len'] = 128
train_dataloader = dict(batch_size=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=1, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
auto_scale_lr = dict(base_batch_size=16)

optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = [dict(_base_.param_scheduler[0], end=15, milestones=[10])]
train_cfg = dict(max_epochs=15)
custom_hooks = [dict(type='TwoStageHook', switch_epoch=0)]
