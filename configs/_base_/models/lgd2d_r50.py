# LGD-2D: 1xkxk kernels only, one global vector for all frames of a video.
model = dict(
    type='Recognizer3D',
    backbone=dict(
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
    ),
    cls_head=dict(
        type='KernelizedHead',
        num_classes=400,
        in_channels=2048,
        sketch_dim=8192,
        dropout_ratio=0.5,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
)
