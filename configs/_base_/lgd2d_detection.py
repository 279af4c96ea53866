# lgd3d_detection.py with LGD-2D: 1xkxk kernels only, and 3 frames around the
# key frame t: t - 8, t and t + 8 (a choice: the span of LGD-3D's 16 frames).
_base_ = 'lgd3d_detection.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmaction.LGDResNet3d',
        depth=50,
        pretrained=None,
        pretrained2d=True,
        conv1_kernel=(1, 7, 7),
        inflate=(0, 0, 0, 0),
        spatial_strides=(1, 2, 2, 1),
        temporal_strides=(1, 1, 1, 1),
        with_pool2=False,
        norm_eval=False,
        diffusion=dict(form='both', reduction=16),
    )
)
__sample = dict(type='SampleKeyFrames', clip_len=3, frame_interval=8)
train_pipeline = [__sample, *_base_.train_pipeline[1:]]
test_pipeline = [__sample, *_base_.test_pipeline[1:]]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=0.01))
auto_scale_lr = dict(base_batch_size=64)  # 8 GPUs with 8 triples each
