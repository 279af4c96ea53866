# lgd2d_jhmdb_split1.py on split 3. Numbers: docs/configs.md
_base_ = 'lgd2d_jhmdb_split1.py'
train_dataloader = dict(dataset=dict(split=3))
val_dataloader = test_dataloader = dict(dataset=dict(split=3))
val_evaluator = test_evaluator = dict(split=3)
