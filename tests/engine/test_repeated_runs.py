"""Whole runs with several clips of each video."""

import shutil

import pytest
import torch

from tests.engine.test_bad_video_hook import (  # noqa: F401
    config,
    listed,
    videos,
)

K = 2


@pytest.mark.slow
def test_resumed_within_an_epoch_it_is_the_same_run(
    tiny,
    videos,  # noqa: F811
    tmp_path,
) -> None:
    """24 videos, one broken, in batches of 4: six iterations an epoch."""
    whole, rest = tmp_path / 'whole', tmp_path / 'rest'

    def train(work_dir, **options) -> None:
        cfg = config(tiny, videos, work_dir, max_epochs=2, num_workers=2)
        cfg.train_dataloader.dataset.clips_per_video = K
        cfg.train_dataloader.dataset.pipeline = [
            dict(type='VideoOpen'),
            dict(type='SampleFrames', clip_len=2, num_clips=1),
            dict(type='VideoDecode'),
            dict(type='Flip', flip_ratio=0.5),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs'),
        ]
        cfg.train_dataloader.collate_fn = dict(type='spread_clips')
        cfg.default_hooks.checkpoint = dict(
            type='CheckpointHook', interval=4, by_epoch=False
        )
        tiny.train(cfg, **options)

    train(whole)
    rest.mkdir()
    path = shutil.copy(whole / 'iter_8.pth', rest)
    (rest / 'last_checkpoint').write_text(str(path))
    train(rest, resume=True)
    end, resumed = (
        torch.load(folder / 'iter_12.pth', weights_only=False)
        for folder in (whole, rest)
    )
    assert tiny.same(end['state_dict'], resumed['state_dict'])
    assert [row[0] for row in listed(whole)] == ['v05.mp4']
    log = next(whole.glob('*/*.log')).read_text()
    for epoch in (1, 2):
        assert f'epoch {epoch}: 1 of 24 training videos' in log
    assert log.count(f'; {K} reads were replaced by other videos') == 2
