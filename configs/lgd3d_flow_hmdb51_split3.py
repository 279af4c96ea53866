# lgd3d_flow_hmdb51_split1.py on split 3. Numbers: docs/configs.md
_base_ = 'lgd3d_flow_hmdb51_split1.py'
train_dataloader = dict(dataset=_base_.data.flow.split3.train)
val_dataloader = test_dataloader = dict(dataset=_base_.data.flow.split3.val)
