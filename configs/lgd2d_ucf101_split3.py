# lgd2d_ucf101_split1.py on split 3. Numbers: docs/configs.md
_base_ = 'lgd2d_ucf101_split1.py'
train_dataloader = dict(dataset=_base_.data.rgb.split3.train)
val_dataloader = test_dataloader = dict(dataset=_base_.data.rgb.split3.val)
