# LGD-3D on RGB with 128 frames, from a 16-frame checkpoint that has passed
# both stages: stage 2 from the first epoch on. Every number is a choice; the
# paper does not say how its long models were trained and tested.
_base_ = 'lgd3d_rgb.py'

# gradient checkpointing; batch norm keeps the statistics of the 16-frame run:
# 2 clips a GPU are too few
model = dict(
    backbone=dict(pretrained=None, norm_eval=True, with_cp=True),
    # clips that go through the network at once when a video is tested
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
auto_scale_lr = dict(base_batch_size=16)  # 8 GPUs with 2 clips each

optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = [dict(_base_.param_scheduler[0], end=15, milestones=[10])]
train_cfg = dict(max_epochs=15)
custom_hooks = [dict(type='TwoStageHook', switch_epoch=0)]
