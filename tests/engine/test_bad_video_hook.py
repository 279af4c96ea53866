"""Whole runs over data of which some videos are broken."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from lgd_mmaction.datasets import RobustVideoDataset
from lgd_mmaction.engine import BadVideoHook
from lgd_mmaction.errors import DataError
from lgd_mmaction.video.bad_videos import BadVideoList
from lgd_mmaction.video.errors import BrokenVideoError, TooManyBadVideosError

VIDEOS = 24


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """24 videos of 8 frames, one of them cut short, and their list."""
    folder = tmp_path / 'videos'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(VIDEOS):
        path = folder / f'v{i:02d}.mp4'
        with av.open(str(path), 'w') as out:
            stream = out.add_stream('mpeg4', rate=8)
            stream.width = stream.height = 32
            for _ in range(8):
                noise = rng.integers(256, size=(32, 32, 3), dtype=np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(noise)))
            out.mux(stream.encode())
        if i == 5:
            path.write_bytes(path.read_bytes()[:2000])
    lines = [f'v{i:02d}.mp4 {i % 3}\n' for i in range(VIDEOS)]
    (tmp_path / 'list.txt').write_text(''.join(lines))
    return folder


def config(tiny, videos: Path, work_dir: Path, **more) -> Config:
    """Training and validation of the tiny network on the videos."""
    cfg = tiny.tiny_config(work_dir, **more)
    pipeline = [
        dict(type='VideoOpen'),
        dict(type='SampleFrames', clip_len=2, num_clips=1),
        dict(type='VideoDecode'),
        dict(type='Flip', flip_ratio=0.5),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    dataset = dict(
        type='RobustVideoDataset',
        ann_file=str(videos.parent / 'list.txt'),
        data_prefix=dict(video=str(videos)),
        pipeline=pipeline,
    )
    cfg.train_dataloader.dataset = dataset
    cfg.test_dataloader = dict(
        batch_size=5,
        num_workers=0,
        dataset={**dataset, 'test_mode': True},
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    cfg.test_cfg = dict(type='TestLoop')
    cfg.test_evaluator = dict(type='RobustAccMetric')
    cfg.default_hooks.bad_videos = dict(type='BadVideoHook')
    cfg.default_hooks.epoch_seed = dict(type='EpochSeedHook')
    return cfg


def listed(work_dir: Path) -> list[list[str]]:
    lines = (work_dir / 'bad_videos.txt').read_text().splitlines()
    return [line.split('\t')[:4] for line in lines]


@pytest.mark.slow
def test_training_goes_on_and_resumes(tiny, videos, tmp_path) -> None:
    """Resumed after two epochs, the run is the uninterrupted one's equal."""
    whole, halves = tmp_path / 'whole', tmp_path / 'halves'
    options = dict(max_epochs=4, switch_epoch=2, num_workers=2)
    tiny.train(config(tiny, videos, whole, **options))
    halves.mkdir()
    path = shutil.copy(whole / 'epoch_2.pth', halves)
    (halves / 'last_checkpoint').write_text(str(path))
    tiny.train(config(tiny, videos, halves, **options), resume=True)
    end, resumed = tiny.checkpoint(whole, 4), tiny.checkpoint(halves, 4)
    assert tiny.same(end['state_dict'], resumed['state_dict'])
    [(name, reason, subset, rank)] = listed(whole)
    assert (name, subset, rank) == ('v05.mp4', 'train', '0')
    assert 'damaged, cut short' in reason
    # a resumed run finds and lists it again
    assert [row[0] for row in listed(halves)] == ['v05.mp4']
    log = next(whole.glob('*/*.log')).read_text()
    for epoch in range(1, 5):
        assert f'epoch {epoch}: 1 of 24 training videos' in log
    assert log.count('; 1 reads were replaced by other videos') == 4


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 2])
def test_training_stops(tiny, videos, tmp_path, workers: int) -> None:
    (videos / 'v07.mp4').unlink()
    cfg = config(tiny, videos, tmp_path / 'run', num_workers=workers)
    with pytest.raises(TooManyBadVideosError, match='^2 of 24 videos'):
        tiny.train(cfg)
    rows = listed(tmp_path / 'run')
    assert sorted(row[0] for row in rows) == ['v05.mp4', 'v07.mp4']


def test_joined_data_sets_count_together(videos, tmp_path) -> None:
    """20 and 4 videos, 10 %: two of all may be broken, three not."""
    lines = (tmp_path / 'list.txt').read_text().splitlines(keepends=True)
    parts = []
    for name, some in (('large', lines[:20]), ('small', lines[20:])):
        ann = tmp_path / f'{name}.txt'
        ann.write_text(''.join(some))
        parts.append(
            RobustVideoDataset(
                ann_file=str(ann),
                data_prefix=dict(video=str(videos)),
                pipeline=[dict(type='VideoOpen')],
                max_bad_fraction=0.1,
            )
        )
    hook = BadVideoHook()
    hook.list = BadVideoList(tmp_path / 'bad_videos.txt')
    data = ConcatDataset(parts)
    loader = DataLoader(data, num_workers=1)
    hook.before_train(
        SimpleNamespace(
            train_loop=SimpleNamespace(dataloader=loader), work_dir=tmp_path
        )
    )
    (videos / 'v21.mp4').unlink()
    data[5], data[21]  # more than a tenth of the small one
    assert [row[0] for row in listed(tmp_path)] == ['v05.mp4', 'v21.mp4']
    (videos / 'v07.mp4').unlink()
    with pytest.raises(TooManyBadVideosError) as error:
        data[7]
    assert str(error.value).startswith(
        '3 of 24 videos of the joined data sets cannot be read, more than '
        'max_bad_fraction of each allows'
    )


@pytest.mark.slow
def test_two_ranks_share_one_list(tiny, dist_run, videos, tmp_path) -> None:
    """Each broken video is listed once, and every rank counts them all."""
    for name in ('v07.mp4', 'v12.mp4', 'v19.mp4'):
        (videos / name).unlink()
    options = dict(num_workers=1, max_epochs=2, shuffle=False)
    cfg = config(tiny, videos, tmp_path, **options)
    cfg.launcher = 'pytorch'
    cfg.train_dataloader.dataset.max_bad_fraction = 0.2
    # well before workers that are left behind would end by themselves
    dist_run.World(2, lambda: tiny.train(cfg) and None).results(40)
    rows = listed(tmp_path)
    names = ['v05.mp4', 'v07.mp4', 'v12.mp4', 'v19.mp4']
    assert sorted(row[0] for row in rows) == names
    assert {row[3] for row in rows} == {'0', '1'}
    log = next(tmp_path.glob('*/*.log')).read_text()
    message = '4 of 24 training videos cannot be read; '
    for epoch in (1, 2):
        assert f'epoch {epoch}: {message}4 reads were replaced' in log


@pytest.mark.slow
def test_a_rank_that_finds_too_many_ends_the_job(
    tiny, dist_run, videos, tmp_path
) -> None:
    (videos / 'v07.mp4').unlink()
    cfg = config(tiny, videos, tmp_path, max_epochs=2)
    cfg.launcher = 'pytorch'
    ended = dist_run.World(2, tiny.train, cfg).wait(60)
    assert all(end.exitcode for end in ended)
    assert any('2 of 24 videos' in end.error for end in ended)


def test_run(cfg: Config) -> dict:
    cfg.experiment_name = f'test_{os.urandom(4).hex()}'
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper'):
        cfg[key] = None
    cfg.param_scheduler = None
    return Runner.from_cfg(cfg).test()


test_run.__test__ = False


@pytest.mark.slow
def test_testing(tiny, videos, tmp_path) -> None:
    (videos / 'v07.mp4').unlink()

    def cfg() -> Config:
        return config(tiny, videos, tmp_path / 'run')

    with pytest.raises(DataError, match='^2 videos cannot be read') as error:
        test_run(cfg())
    assert 'v05.mp4' in str(error.value) and 'v07.mp4' in str(error.value)
    assert [row[::2] for row in listed(tmp_path / 'run')] == [
        ['v05.mp4', 'test'],
        ['v07.mp4', 'test'],
    ]
    wrong = cfg()
    wrong.test_evaluator.bad_videos = 'wrong'
    metrics = test_run(wrong)
    assert metrics['acc/bad_videos'] == 2
    assert metrics['acc/top5'] == pytest.approx(22 / 24)
    # a metric that does not know of broken videos gets none
    stock = cfg()
    stock.test_evaluator = dict(type='AccMetric')
    with pytest.raises(BrokenVideoError, match='v05.mp4'):
        test_run(stock)


@pytest.mark.slow
def test_several_clips_of_a_video_resumed_within_an_epoch(
    tiny, videos, tmp_path
) -> None:
    """24 videos, one broken, in batches of 4: six iterations an epoch."""
    whole, rest = tmp_path / 'whole', tmp_path / 'rest'

    def train(work_dir, **options) -> None:
        cfg = config(tiny, videos, work_dir, max_epochs=2, num_workers=2)
        cfg.train_dataloader.dataset.clips_per_video = 2
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
    assert log.count('; 2 reads were replaced by other videos') == 2
