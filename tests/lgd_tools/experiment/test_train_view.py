"""Which settings of a config ask for another training."""

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ('option', 'same'),
    [
        ('test_dataloader.batch_size=3', True),
        ('val_dataloader.dataset.ann_file=a.txt', True),
        ('test_pipeline.0.clip_len=8', True),
        ('train_cfg.val_interval=7', True),
        ('model.test_cfg.max_testing_views=1', True),
        ('model.cls_head.average_clips=score', True),
        ('train_dataloader.num_workers=2', True),
        ('train_dataloader.persistent_workers=True', True),
        ('train_dataloader.pin_memory=True', True),
        ('default_hooks.logger.interval=1', True),
        ('log_level=DEBUG', True),
        ('env_cfg.cudnn_benchmark=True', True),
        ('visualizer.type=V', True),
        ('train_dataloader.batch_size=3', False),
        ('train_dataloader.dataset.ann_file=a.txt', False),
        ('train_cfg.max_epochs=4', False),
        ('model.cls_head.num_classes=3', False),
        ('model.train_cfg.a=1', False),
        ('default_hooks.epoch_seed.type=Other', False),
        ('optim_wrapper.optimizer.lr=0.5', False),
        ('custom_hooks.0.switch_epoch=1', False),
        ('auto_scale_lr.enable=True', False),
    ],
)
def test_what_a_training_depends_on(tool, place, option, same):
    config = Path('rgb1.py')
    config.write_text(
        config.read_text() + 'test_pipeline = [dict(clip_len=16)]\n'
    )
    one, other = (
        tool.plan.make_run(place, 'rgb', None, 'rgb1.py', options)
        for options in ([], [option])
    )
    assert (one.train_sha256 == other.train_sha256) is same
    assert one.config_sha256 != other.config_sha256
