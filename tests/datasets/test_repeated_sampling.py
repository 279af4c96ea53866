"""clips_per_video: one opening of a video, several clips of it."""

import os
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import FUNCTIONS
from torch.utils.data import DataLoader

from lgd_mmaction.datasets import RobustVideoDataset, VideoOpen
from lgd_mmaction.datasets.robust_video_dataset import REPLACES_KEY
from lgd_mmaction.engine.epoch_seed_hook import seed_samples
from lgd_mmaction.errors import ConfigError
from tests.video.test_reader import sequential

PIPELINE = [
    dict(type='VideoOpen'),
    dict(type='SampleFrames', clip_len=4, num_clips=1),
    dict(type='VideoDecode'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename', 'frame_inds')),
]
K = 3


@pytest.fixture
def folder(tmp_path: Path, clips) -> Path:
    """40 names of one video; that of v02 is an empty file."""
    names = [f'v{i:02d}.mp4' for i in range(40)]
    for name in names:
        os.link(clips['mp4'], tmp_path / name)
    (tmp_path / 'v02.mp4').unlink()
    (tmp_path / 'v02.mp4').touch()
    lines = [f'{name} {i % 4}\n' for i, name in enumerate(names)]
    (tmp_path / 'list.txt').write_text(''.join(lines))
    return tmp_path


def dataset(folder: Path, clips_per_video: int = K, **more):
    options = dict(
        ann_file=str(folder / 'list.txt'),
        data_prefix=dict(video=str(folder)),
        pipeline=PIPELINE,
        clips_per_video=clips_per_video,
    )
    return RobustVideoDataset(**{**options, **more})


def meta(sample: dict, key: str) -> object:
    return sample['data_samples'].metainfo[key]


def test_clips_of_one_opening_are_those_that_were_drawn(
    folder: Path, clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    stock = VideoOpen.transform

    def transform(self: VideoOpen, results: dict) -> dict:
        opened.append(results['filename'])
        return stock(self, results)

    monkeypatch.setattr(VideoOpen, 'transform', transform)
    np.random.seed(3)
    samples = dataset(folder)[7]
    assert len(samples) == K and len(opened) == 1
    truth = np.stack(sequential(clips['mp4']))
    # the numbers that as many draws of the stock sampler give
    np.random.seed(3)
    data = dataset(folder, 1)
    for sample in samples:
        numbers = meta(sample, 'frame_inds')
        drawn = data.pipeline.transforms[1](
            dict(total_frames=len(truth), avg_fps=25, start_index=0)
        )
        np.testing.assert_array_equal(numbers, drawn['frame_inds'])
        wanted = truth[numbers].transpose(3, 0, 1, 2)[None]
        np.testing.assert_array_equal(sample['inputs'], wanted)
        assert sample['data_samples'].gt_label.item() == 7 % 4
    starts = {meta(sample, 'frame_inds')[0] for sample in samples}
    assert len(starts) > 1


def test_every_clip_is_augmented_by_itself(folder: Path) -> None:
    crop = dict(type='RandomCrop', size=16)
    keys = dict(type='PackActionInputs', meta_keys=('crop_quadruple',))
    steps = [*PIPELINE[:3], crop, PIPELINE[3], keys]
    samples = dataset(folder, 8, pipeline=steps)[0]
    assert {s['inputs'].shape for s in samples} == {(1, 3, 4, 16, 16)}
    places = {tuple(meta(s, 'crop_quadruple')) for s in samples}
    assert len(places) > 1


@pytest.mark.parametrize('workers', [0, 2])
def test_batches_spread_the_clips(folder: Path, workers: int) -> None:
    data = dataset(folder)
    seed_samples(data, (5, 1))
    loader = DataLoader(
        data,
        batch_size=4,
        num_workers=workers,
        sampler=[4, 9, 5, 8, 6, 7, 1, 0],
        collate_fn=FUNCTIONS.get('spread_clips'),
    )
    for batch, wanted in zip(
        loader, ([4, 9, 5, 8], [6, 7, 1, 0]), strict=True
    ):
        assert len(batch['inputs']) == 4 * K
        names = [s.metainfo['filename'] for s in batch['data_samples']]
        assert names == [str(folder / f'v{i:02d}.mp4') for i in wanted * K]
        # what follows from seed and index: another order, another worker
        for place, i in enumerate(wanted):
            for clip, sample in enumerate(data[i]):
                inputs = batch['inputs'][place + clip * 4]
                np.testing.assert_array_equal(inputs, sample['inputs'])


def test_a_broken_video_is_replaced_whole_and_listed_once(
    folder: Path,
) -> None:
    data = dataset(folder)
    samples = data[2]
    assert [meta(s, REPLACES_KEY) for s in samples] == ['v02.mp4'] * K
    assert len({meta(s, 'filename') for s in samples}) == 1
    assert list(data.bad_videos.found('train')) == ['v02.mp4']


@pytest.mark.parametrize(
    'more, sentence',
    [
        (dict(clips_per_video=0), 'use 1 or more'),
        (dict(test_mode=True), 'is for training'),
        (dict(pipeline=PIPELINE[3:]), 'needs VideoOpen and VideoDecode'),
    ],
)
def test_what_cannot_be_is_refused(
    folder: Path, more: dict, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        dataset(folder, **more)
