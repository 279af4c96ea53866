# lgd3d_flow_jhmdb_split1.py on split 2. Numbers: docs/configs.md
_base_ = 'lgd3d_flow_jhmdb_split1.py'
train_dataloader = dict(dataset=dict(split=2))
val_dataloader = test_dataloader = dict(dataset=dict(split=2))
val_evaluator = test_evaluator = dict(split=2)
