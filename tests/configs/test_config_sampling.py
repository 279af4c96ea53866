"""Which frames the stock transforms pick with our configs, on real videos."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from mmengine.dataset import Compose

from tests.configs.test_configs import load, parsed, write_flow, write_video


def grey_levels(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The mean of every frame of a sequential decode, scaled to a size."""
    with av.open(str(path)) as video:
        scaled = (
            frame.reformat(*size, format='rgb24').to_ndarray()
            for frame in video.decode(video=0)
        )
        return np.array([image.mean() for image in scaled])


def write_variable_rate(path: Path) -> None:
    """90 frames as write_video's; the first 60 three times as fast."""
    with av.open(str(path), 'w') as out:
        stream = out.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt = 340, 256, 'yuv420p'
        stream.codec_context.time_base = Fraction(1, 90)
        time = 0
        for i in range(90):
            image = np.full((256, 340, 3), 2 * i + 20, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            frame.pts, frame.time_base = time, Fraction(1, 90)
            time += 3 if i < 60 else 9
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def frames_of(name: str, mode: str, clip: Path) -> dict:
    """What a config's pipeline makes of one clip, before it is packed."""
    dataset = load(name)[f'{mode}_dataloader'].dataset
    if dataset.type.endswith('RawframeDataset'):
        info = dict(
            frame_dir=str(clip),
            total_frames=len(list(clip.glob('flow_x_*.jpg'))),
            filename_tmpl=dataset.filename_tmpl,
            start_index=dataset.start_index,
            modality=dataset.modality,
        )
    else:
        info = dict(filename=str(clip), start_index=0, modality='RGB')
    return Compose(dataset.pipeline[:-1])(info)


@pytest.fixture(scope='module')
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('sampled')
    write_video(root / 'long.mp4', 90, (340, 256))
    write_video(root / 'short.mp4', 5, (160, 120))
    write_video(root / 'one.mp4', 1, (160, 120))
    write_variable_rate(root / 'variable.mp4')
    write_flow(root / 'flow', 40, (96, 72))
    return root


def test_2d_trains_on_one_frame_of_each_third(clips: Path) -> None:
    seen = []
    for _ in range(8):
        out = frames_of('lgd2d_k400', 'train', clips / 'long.mp4')
        assert out['imgs'].shape == (1, 3, 3, 224, 224)
        a, b, c = out['frame_inds']
        assert 0 <= a <= 30 <= b + 0.5 and b <= 59 <= c <= 89
        seen.append(a)
    assert len(set(seen)) > 3


@pytest.mark.parametrize('clip', ['long.mp4', 'variable.mp4'])
def test_2d_tests_on_ten_uniform_triples(clip: str, clips: Path) -> None:
    # frames are counted, not timed: a variable rate changes nothing
    out = frames_of('lgd2d_k400', 'test', clips / clip)
    # short side 240, no crop: 340x256 -> 319x240
    assert out['imgs'].shape == (10, 3, 3, 240, 319)
    triples = out['frame_inds'].reshape(10, 3)
    thirds = np.round(np.arange(3) * 89 / 3)
    offsets = triples - thirds
    assert (offsets == offsets[:, :1]).all()  # the same place in each third
    steps = np.diff(offsets[:, 0])
    assert set(steps) <= {2, 3}  # uniform: 89 / 3 / 11 = 2.7
    assert offsets[0, 0] > 0 and offsets[-1, 0] < 89 / 3
    # and these are the frames that were decoded, clip by clip
    grey = out['imgs'].mean((1, 3, 4))  # (10, 3)
    levels = grey_levels(clips / clip, (319, 240))
    assert np.abs(grey - levels[triples]).max() < 0.5


def test_3d_trains_on_16_consecutive_frames(clips: Path) -> None:
    starts = set()
    for _ in range(8):
        out = frames_of('lgd3d_k400', 'train', clips / 'long.mp4')
        assert out['imgs'].shape == (1, 3, 16, 112, 112)
        assert (np.diff(out['frame_inds']) == 1).all()
        starts.add(int(out['frame_inds'][0]))
    assert len(starts) > 4 and max(starts) <= 90 - 16


@pytest.mark.parametrize('clip', ['long.mp4', 'variable.mp4'])
def test_3d_tests_on_15_uniform_clips(clip: str, clips: Path) -> None:
    out = frames_of('lgd3d_k400', 'test', clips / clip)
    assert out['imgs'].shape == (15, 3, 16, 120, 159)
    views = out['frame_inds'].reshape(15, 16)
    assert (np.diff(views, axis=1) == 1).all()
    assert views[0, 0] == 0 and views[-1, -1] == 89
    assert set(np.diff(views[:, 0])) <= {5, 6}  # 74 / 14 = 5.3
    grey = out['imgs'].mean((1, 3, 4))  # (15, 16)
    levels = grey_levels(clips / clip, (159, 120))
    assert np.abs(grey - levels[views]).max() < 0.5


def test_long_clips_have_128_frames(clips: Path) -> None:
    out = frames_of('lgd3d_long_k400', 'train', clips / 'long.mp4')
    assert out['imgs'].shape == (1, 3, 128, 112, 112)
    # 90 frames are looped
    assert (np.diff(out['frame_inds']) % 90 == 1).all()


@pytest.mark.parametrize('name', ['lgd3d_long_k600', 'lgd3d_long_flow_k600'])
def test_long_clips_of_a_longer_video(name: str) -> None:
    def sampled(mode: str) -> np.ndarray:
        pipeline = parsed(name)[f'{mode}_pipeline']
        (sample,) = (t for t in pipeline if t['type'] == 'SampleFrames')
        info = dict(total_frames=300, start_index=0)
        return Compose([sample])(info)['frame_inds'].reshape(-1, 128)

    views = sampled('test')
    assert views.shape == (15, 128)
    assert (np.diff(views, axis=1) == 1).all()
    assert views[0, 0] == 0 and views[-1, -1] == 299
    assert set(np.diff(views[:, 0])) <= {12, 13}  # 172 / 14 = 12.3
    starts = {int(sampled('train')[0, 0]) for _ in range(8)}
    assert len(starts) > 4 and 0 <= min(starts) <= max(starts) <= 172


@pytest.mark.parametrize(
    'name, shape',
    [
        ('lgd2d_flow_ucf101_split2', (10, 2, 3, 240, 320)),
        ('lgd3d_flow_ucf101_split2', (15, 2, 16, 120, 160)),
    ],
)
def test_flow_is_tested_as_rgb_is(
    name: str, shape: tuple[int, ...], clips: Path
) -> None:
    out = frames_of(name, 'test', clips / 'flow')
    assert out['imgs'].shape == shape
    # y = 201 - the frame's number, the first of which is 1
    y = out['imgs'][:, 1].mean((2, 3))  # (views, T)
    numbers = out['frame_inds'].reshape(y.shape)
    assert np.abs(y - (201 - numbers)).max() < 1.5
    assert numbers.min() >= 1 and numbers.max() <= 40


@pytest.mark.parametrize(
    ('clip', 'frames'), [('short.mp4', 5), ('one.mp4', 1)]
)
def test_videos_shorter_than_a_clip(
    clip: str, frames: int, clips: Path
) -> None:
    for mode, views in (('train', 1), ('val', 1), ('test', 10)):
        out = frames_of('lgd2d_k400', mode, clips / clip)
        assert out['imgs'].shape[:3] == (views, 3, 3)
        triples = out['frame_inds'].reshape(views, 3)
        assert (np.diff(triples) >= 0).all()  # repeated, never out of order
        assert set(triples.ravel()) <= set(range(frames))
    for mode, views in (('train', 1), ('val', 1), ('test', 15)):
        out = frames_of('lgd3d_k400', mode, clips / clip)
        assert out['imgs'].shape[:3] == (views, 3, 16)
        looped = np.arange(16) % frames
        assert (out['frame_inds'].reshape(views, 16) == looped).all()


@pytest.mark.parametrize('name', ['lgd2d_flow_k400', 'lgd3d_flow_k400'])
def test_flow_flip_mirrors_and_negates_x(name: str, clips: Path) -> None:
    cfg = parsed(name)
    size = next(s['size'] for s in cfg.train_pipeline if 'size' in s)
    scale = next(s['scale'][1] for s in cfg.train_pipeline if 'scale' in s)
    flipped = set()
    for _ in range(12):
        out = frames_of(name, 'train', clips / 'flow')
        imgs = out['imgs'].astype(float)  # (1, 2, T, H, W)
        assert imgs.shape[1] == 2 and imgs.shape[3:] == (size, size)
        flipped.add(out['flip'])
        # x falls to the right by 200 over the width of the whole frame;
        # mirrored it rises, and negated as well it falls again
        fall = imgs[0, 0, :, :, 0] - imgs[0, 0, :, :, -1]
        assert np.abs(fall - 200 * size / (scale * 4 / 3)).max() < 6
        # y = 201 - the frame's number, the first of which is 1
        y = imgs[0, 1].mean((1, 2))
        assert np.abs(y - (201 - out['frame_inds'])).max() < 1.5
    assert flipped == {True, False}
