"""The transforms: keys and frames of the stock ones, or an error."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import Compose

from lgd_mmaction.video.errors import BrokenVideoError

TRIPLE = dict(type='UniformSample', clip_len=3, num_clips=1)
CLIP = dict(type='SampleFrames', clip_len=16, num_clips=1)
# a test of 15 clips repeats frames of short videos
TEST = dict(type='SampleFrames', clip_len=16, num_clips=15, test_mode=True)
FLIP = dict(type='Flip', flip_ratio=1)  # in place


def read(path: Path, sample: dict, init: str, decode: str, **more) -> dict:
    np.random.seed(3)
    steps = [dict(type=init), sample, dict(type=decode, **more), FLIP]
    return Compose(steps)(
        dict(filename=str(path), label=0, start_index=0, modality='RGB')
    )


def check_same(path: Path, sample: dict, **more: str) -> None:
    ours = read(path, sample, 'VideoOpen', 'VideoDecode', **more)
    stock = read(path, sample, 'DecordInit', 'DecordDecode', **more)
    assert ours.keys() == stock.keys()
    for key in ('total_frames', 'avg_fps', 'img_shape', 'original_shape'):
        assert ours[key] == stock[key], key
    assert len(ours['imgs']) == len(stock['imgs'])
    for mine, other in zip(ours['imgs'], stock['imgs'], strict=True):
        assert mine.dtype == other.dtype == np.uint8
        # the two make RGB of YUV in their own ways
        assert np.abs(mine - other.astype(int)).mean() < 3


@pytest.mark.parametrize('kind', ['mp4', 'faststart', 'avi', 'mkv'])
@pytest.mark.parametrize('sample', [TRIPLE, CLIP, TEST])
def test_same_as_stock(kind: str, sample: dict, clips) -> None:
    check_same(clips[kind], dict(sample))


@pytest.mark.slow
def test_same_as_stock_on_real_clips(shared_data: Path) -> None:
    names = sorted((shared_data / 'smoke').iterdir())
    assert len(names) >= 7
    for path in names:
        check_same(path, dict(CLIP))
        check_same(path, dict(TRIPLE))


def test_narrow_frames(tmp_path: Path, corpus_module) -> None:
    """The stock transforms raise on these."""
    path = corpus_module.write(tmp_path / 'narrow.mp4', size=(64, 48))
    with pytest.raises(Exception, match='must exactly match'):
        read(path, dict(CLIP), 'DecordInit', 'DecordDecode')
    out = read(path, dict(CLIP), 'VideoOpen', 'VideoDecode')
    assert [i.shape for i in out['imgs']] == [(64, 48, 3)] * 16


def test_broken_video(tmp_path: Path) -> None:
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'no video')
    with pytest.raises(BrokenVideoError, match='damaged, cut short') as error:
        read(path, dict(CLIP), 'VideoOpen', 'VideoDecode')
    assert error.value.path == str(path)


def test_placeholder_keeps_the_shape(clips) -> None:
    pipeline = Compose(
        [
            dict(type='VideoOpen'),
            dict(CLIP),
            dict(type='VideoDecode'),
            dict(type='Resize', scale=(-1, 40)),
            dict(type='CenterCrop', crop_size=32),
            dict(type='FormatShape', input_format='NCTHW'),
        ]
    )
    data = dict(label=0, start_index=0, modality='RGB')
    good = pipeline({**data, 'filename': str(clips['mp4'])})
    black = pipeline({**data, 'filename': 'none', 'placeholder': True})
    assert good['imgs'].shape == black['imgs'].shape == (1, 3, 16, 32, 32)
    assert black['imgs'].max() == 0
