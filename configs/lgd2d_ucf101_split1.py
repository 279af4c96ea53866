# LGD-2D, ResNet-101, UCF101 split 1, RGB. Numbers: docs/configs.md
_base_ = ['_base_/lgd2d_finetune_rgb.py', '_base_/data/ucf101.py']

load_from = 'work_dirs/lgd2d_k400/epoch_50.pth'  # or lgd2d_k600
model = dict(cls_head=dict(num_classes=101))
train_dataloader = dict(dataset=_base_.data.rgb.split1.train)
val_dataloader = test_dataloader = dict(dataset=_base_.data.rgb.split1.val)
