# lgd3d_flow_ucf101_split1.py on split 2. Numbers: docs/configs.md
_base_ = 'lgd3d_flow_ucf101_split1.py'
train_dataloader = dict(dataset=_base_.data.flow.split2.train)
val_dataloader = test_dataloader = dict(dataset=_base_.data.flow.split2.val)
