"""VideoOpen and VideoDecode stand where DecordInit and DecordDecode stood."""

from pathlib import Path

import av
import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.video import BrokenVideoError
from tests.video.test_reader import sequential

SAMPLES = ['smoke/part_0.mp4', 'smoke/v_BaseballPitch_g01_c01.avi']
SAMPLERS = {
    'random': dict(type='SampleFrames', clip_len=16, num_clips=1),
    'segments': dict(type='SampleFrames', clip_len=1, num_clips=3),
    'test': dict(
        type='SampleFrames', clip_len=16, num_clips=5, test_mode=True
    ),
    'beyond': dict(type='SampleFrames', clip_len=400, num_clips=1),
    'rate': dict(type='SampleFrames', clip_len=8, num_clips=2, target_fps=10),
    'uniform': dict(type='UniformSample', clip_len=8, num_clips=1),
}
OURS = [dict(type='VideoOpen'), dict(type='VideoDecode')]
DECORD = [dict(type='VideoOpen', engine='decord'), dict(type='VideoDecode')]
STOCK = [dict(type='DecordInit'), dict(type='DecordDecode')]


def run(path: Path, pair: list, sampler='random', *more, **keys) -> dict:
    opening, decode = pair
    sampler = {'keep_tail_frames': True, **SAMPLERS[sampler]}
    if sampler['type'] != 'SampleFrames':
        sampler.pop('keep_tail_frames')
    np.random.seed(1)
    steps = Compose(
        [TRANSFORMS.build(s) for s in (opening, sampler, decode, *more)]
    )
    return steps(
        dict(filename=str(path), start_index=0, modality='RGB', **keys)
    )


@pytest.mark.parametrize('sampler', SAMPLERS)
@pytest.mark.parametrize('sample', SAMPLES)
def test_stock_samplers_get_frames_of_a_sequential_decode(
    shared_data: Path, sample: str, sampler: str
) -> None:
    path = shared_data / sample
    truth = sequential(path)
    out = run(path, OURS, sampler)
    assert out['total_frames'] == len(truth)
    assert out['video_reader'] is None
    assert out['original_shape'] == out['img_shape'] == truth[0].shape[:2]
    assert len(out['imgs']) == len(out['frame_inds'])
    for number, image in zip(out['frame_inds'], out['imgs'], strict=True):
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, truth[number])


@pytest.mark.slow
@pytest.mark.parametrize('sampler', SAMPLERS)
@pytest.mark.parametrize('sample', SAMPLES)
def test_decord_engine_is_stock_decord_bit_for_bit(
    shared_data: Path, sample: str, sampler: str
) -> None:
    ours = run(shared_data / sample, DECORD, sampler)
    stock = run(shared_data / sample, STOCK, sampler)
    assert ours.keys() == stock.keys()
    np.testing.assert_array_equal(ours['frame_inds'], stock['frame_inds'])
    np.testing.assert_array_equal(ours['imgs'], stock['imgs'])
    for key in ('total_frames', 'avg_fps', 'img_shape', 'original_shape'):
        assert ours[key] == stock[key]


@pytest.mark.parametrize('sample', SAMPLES)
@pytest.mark.parametrize('short, mean, most', [(120, 4, 110), (224, 2, 80)])
@pytest.mark.parametrize('pair', [OURS, DECORD], ids=['pyav', 'decord'])
def test_scale_stands_for_the_stock_resize(
    shared_data: Path, sample: str, short: int, mean: float, most: int, pair
) -> None:
    opening, _ = pair
    scale = (-1, short)
    boxes = dict(
        gt_bboxes=np.array([[0.1, 0.2, 0.5, 0.9]]),
        proposals=np.array([[0, 0.25, 1, 0.75]]),
    )
    path = shared_data / sample
    scaled = [opening, dict(type='VideoDecode', scale=scale)]
    ours = run(path, scaled, 'segments', **boxes)
    stock = run(
        path, pair, 'segments', dict(type='Resize', scale=scale), **boxes
    )
    assert ours.keys() == stock.keys()
    for key in ('img_shape', 'original_shape', 'keep_ratio'):
        assert ours[key] == stock[key]
    for key in ('scale_factor', 'gt_bboxes', 'proposals'):
        np.testing.assert_allclose(ours[key], stock[key], rtol=1e-6)
    ours, stock = (np.stack(r['imgs']).astype(int) for r in (ours, stock))
    difference = abs(ours - stock)
    if opening.get('engine') == 'decord':
        mean = most = 0
    assert difference.mean() <= mean and difference.max() <= most


def test_rotated_videos_are_scaled_as_shown(shared_data: Path) -> None:
    pair = [dict(type='VideoOpen'), dict(type='VideoDecode', scale=(-1, 56))]
    out = run(shared_data / 'odd_videos' / 'rot90.mp4', pair)
    assert out['original_shape'] == (160, 112)
    assert out['img_shape'] == out['imgs'][0].shape[:2] == (80, 56)
    np.testing.assert_array_equal(out['scale_factor'], [0.5, 0.5])


@pytest.mark.parametrize('pair', [OURS, DECORD], ids=['pyav', 'decord'])
def test_placeholder_is_black(pair: list) -> None:
    out = run(Path('none.mp4'), pair, placeholder=True)
    assert (out['total_frames'], out['avg_fps']) == (300, 30)
    assert out['imgs'][0].shape == (240, 320, 3)
    assert len(out['imgs']) == 16 and not np.any(out['imgs'])
    small = [pair[0], dict(type='VideoDecode', scale=(-1, 120))]
    out = run(Path('none.mp4'), small, placeholder=True)
    assert out['imgs'][0].shape == (120, 160, 3)


@pytest.mark.parametrize('width', [48, 62, 72])
def test_decord_engine_reads_padded_rows(tmp_path: Path, width: int) -> None:
    path = tmp_path / 'narrow.mp4'
    with av.open(str(path), 'w') as out:
        stream = out.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = width, 64, 'yuv420p'
        for i in range(20):
            ramp = np.arange(width, dtype=np.uint8) * 2 + i
            image = np.broadcast_to(ramp[None, :, None], (64, width, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image))
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    images = run(path, DECORD)['imgs']
    truth = sequential(path)
    numbers = run(path, DECORD)['frame_inds']
    for number, image in zip(numbers, images, strict=True):
        assert image.shape == (64, width, 3)
        # decord's conversion of colours rounds otherwise
        assert abs(image.astype(int) - truth[number]).max() <= 4


@pytest.mark.parametrize('engine', ['pyav', 'decord'])
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, shared_data: Path, engine: str
) -> None:
    pair = [dict(type='VideoOpen', engine=engine), dict(type='VideoDecode')]
    noise = tmp_path / 'noise.mp4'
    noise.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(BrokenVideoError, match='cannot read it') as error:
        run(noise, pair)
    assert '\n' not in str(error.value)
    with pytest.raises(BrokenVideoError, match='does not exist'):
        run(tmp_path / 'none.mp4', pair)
    pair[0]['memory_limit'] = 1
    with pytest.raises(BrokenVideoError, match='memory_limit'):
        run(shared_data / SAMPLES[0], pair)


def test_another_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match='pyav, decord'):
        TRANSFORMS.build(dict(type='VideoOpen', engine='opencv'))
