# LGD-2D on RGB, head and schedule as LGD-3D: 1xkxk kernels only, one global
# vector for all frames of a video.
_base_ = 'lgd3d_rgb.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='LGDResNet3d',
        depth=50,
        pretrained='torchvision://resnet50',
        pretrained2d=True,
        conv1_kernel=(1, 7, 7),
        inflate=(0, 0, 0, 0),
        temporal_strides=(1, 1, 1, 1),
        with_pool2=False,
        norm_eval=False,
        diffusion=dict(form='both', reduction=16),
        channels_last=True,
    )
)

# Triple frames, one from each of 3 equal snippets of the video.
# train  a random frame per snippet, short side 240 (240x320 for a 4:3
#        video), random 224x224 crop, flip
# val    one triple, centre crop: cheap, during training only
# test   10 uniformly sampled triples, short side 240, no crop
train_pipeline = [
    dict(type='VideoOpen'),
    dict(type='UniformSample', clip_len=3, num_clips=1),
    dict(type='VideoDecode', scale=(-1, 240)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='VideoOpen'),
    dict(type='UniformSample', clip_len=3, num_clips=1, test_mode=True),
    dict(type='VideoDecode', scale=(-1, 240)),
    dict(type='CenterCrop', crop_size=224),
    *train_pipeline[-2:],
]
test_pipeline = [
    dict(type='VideoOpen'),
    dict(type='UniformSample', clip_len=3, num_clips=10, test_mode=True),
    dict(type='VideoDecode', scale=(-1, 240)),
    *_base_.test_pipeline[-2:],
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
auto_scale_lr = dict(base_batch_size=128)  # 8 GPUs with 16 triples each
