"""Training goes on past broken videos, testing never hides them."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmaction.datasets import RawframeDataset, VideoDataset
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from lgd_mmaction.datasets import RobustRawframeDataset, RobustVideoDataset
from lgd_mmaction.errors import ConfigError, DataError
from lgd_mmaction.video.bad_videos import BadVideoList
from lgd_mmaction.video.errors import BrokenVideoError, TooManyBadVideosError

VIDEOS = 40
META = ('filename', 'frame_dir')


def pipeline(init: str = 'VideoOpen', decode='VideoDecode'):
    return [
        *([dict(type=init)] if init else []),
        dict(type='SampleFrames', clip_len=2, num_clips=1),
        dict(type=decode),
        dict(type='Resize', scale=(-1, 16)),
        dict(type='CenterCrop', crop_size=16),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=META),
    ]


@pytest.fixture
def videos(tmp_path: Path, clips) -> Path:
    """40 videos, of which v03 and v17 can be broken, and their list."""
    folder = tmp_path / 'videos'
    folder.mkdir()
    for i in range(VIDEOS):
        os.link(clips['mp4'], folder / f'v{i:02d}.mp4')
    lines = [f'v{i:02d}.mp4 {i % 4}\n' for i in range(VIDEOS)]
    (tmp_path / 'list.txt').write_text(''.join(lines))
    return folder


def spoil(folder: Path, *numbers: int) -> None:
    for i in numbers:
        path = folder / f'v{i:02d}.mp4'
        path.unlink()
        path.write_bytes(b'')


def dataset(folder: Path, kind: type = RobustVideoDataset, **more):
    stock = kind is VideoDataset
    steps = pipeline('DecordInit', 'DecordDecode') if stock else pipeline()
    return kind(
        ann_file=str(folder.parent / 'list.txt'),
        data_prefix=dict(video=str(folder)),
        pipeline=steps,
        **more,
    )


def same(a: dict, b: dict) -> bool:
    a_meta, b_meta = a['data_samples'].metainfo, b['data_samples'].metainfo
    return a_meta == b_meta and bool((a['inputs'] == b['inputs']).all())


@pytest.mark.slow
def test_good_videos_as_stock(videos: Path) -> None:
    ours, stock = dataset(videos), dataset(videos, VideoDataset)
    assert len(ours) == len(stock) == VIDEOS
    for i in (0, 7, 39):
        np.random.seed(i)
        mine = ours[i]
        np.random.seed(i)
        other = stock[i]
        metas = [d['data_samples'].metainfo for d in (mine, other)]
        assert metas[0] == metas[1]
        # the two make RGB of YUV in their own ways
        apart = mine['inputs'].int() - other['inputs'].int()
        assert apart.abs().float().mean() < 3
    assert ours.name_of(7) == 'v07.mp4'


def test_a_broken_video_is_replaced(videos: Path, tmp_path: Path) -> None:
    spoil(videos, 3, 17)
    data = dataset(videos)
    data.attach(BadVideoList(tmp_path / 'bad.txt'), 'train', False)
    first = data[3]
    meta = first['data_samples'].metainfo
    assert meta['replaces_video'] == 'v03.mp4'
    stands_in = os.path.basename(meta['filename'])
    assert stands_in not in ('v03.mp4', 'v17.mp4')
    assert 'replaces_video' not in data[4]['data_samples'].metainfo
    # nothing is remembered: the same again, in another run too
    assert data[3]['data_samples'].metainfo == meta
    assert dataset(videos)[3]['data_samples'].metainfo == meta
    assert data[17]['data_samples'].metainfo['replaces_video'] == 'v17.mp4'
    data[17]
    lines = (tmp_path / 'bad.txt').read_text().splitlines()
    assert [line.split('\t')[:5] for line in lines] == [
        ['v03.mp4', 'the file is empty (zero bytes)', 'train', '0', '-1'],
        ['v17.mp4', 'the file is empty (zero bytes)', 'train', '0', '-1'],
    ]


@pytest.mark.slow
def test_too_many(videos: Path) -> None:
    """40 videos, 5 %: two may be broken, three not."""
    spoil(videos, 3, 17, 20)
    data = dataset(videos)
    data[3], data[17], data[3]
    with pytest.raises(TooManyBadVideosError, match='3 of 40 videos.*v20.mp4'):
        data[20]
    dataset(videos, max_bad_fraction=0.075)[20]
    with pytest.raises(TooManyBadVideosError, match='1 of 40'):
        dataset(videos, max_bad_fraction=0)[3]


def test_everything_is_broken(videos: Path) -> None:
    """A wrong folder shows after 16 videos, not after 5 % of them."""
    data = dataset(videos, max_bad_fraction=1)
    data.data_prefix['video'] = 'elsewhere'
    shutil.rmtree(videos)
    with pytest.raises(TooManyBadVideosError, match='16 videos .* in a row'):
        data[0]


@pytest.mark.slow
def test_workers_share_the_list(videos: Path, tmp_path: Path) -> None:
    spoil(videos, 3, 17)
    data = dataset(videos)
    bad = BadVideoList(tmp_path / 'bad.txt')
    data.attach(bad, 'train', False)
    loader = DataLoader(
        data, 2, num_workers=2, collate_fn=pseudo_collate, shuffle=True
    )
    for _ in range(2):  # every worker meets them sooner or later
        samples = [s for b in loader for s in b['data_samples']]
        assert len(samples) == VIDEOS
        replaced = [s.get('replaces_video') for s in samples]
        assert sorted(filter(None, replaced)) == ['v03.mp4', 'v17.mp4']
    assert set(bad.found('train')) == {'v03.mp4', 'v17.mp4'}
    assert len((tmp_path / 'bad.txt').read_text().splitlines()) == 2
    # together they are too many, whoever found the first two
    spoil(videos, 30)
    with pytest.raises(TooManyBadVideosError) as error:
        list(loader)
    assert str(error.value).startswith('3 of 40 videos')
    assert '\n' not in str(error.value)
    # an earlier run's lines are kept, and do not count
    later = BadVideoList(tmp_path / 'bad.txt')
    assert later.found('train') == {}
    assert later.add('v03.mp4', 'why', 'train')
    assert not later.add('v03.mp4', 'why', 'train')
    assert later.add('v03.mp4', 'why', 'val')
    assert len((tmp_path / 'bad.txt').read_text().splitlines()) == 5


def test_a_list_that_cannot_be_written(tmp_path: Path) -> None:
    bad = BadVideoList(tmp_path / 'no_folder' / 'bad.txt')
    assert bad.add('a', 'why\tand\nhow', 'train')
    assert not bad.add('a', 'why', 'train')
    assert bad.found('train') == {'a': 'why and how'}


def test_testing_replaces_nothing(videos: Path) -> None:
    spoil(videos, 3)
    data = dataset(videos, test_mode=True)
    with pytest.raises(BrokenVideoError, match=r'v03.mp4: the file is empty'):
        data[3]
    loader = DataLoader(data, num_workers=1, collate_fn=pseudo_collate)
    with pytest.raises(BrokenVideoError) as error:
        list(loader)
    assert str(error.value).endswith('v03.mp4: the file is empty (zero bytes)')
    assert '\n' not in str(error.value)
    # where the evaluator knows, a black clip says what it is
    data.attach(BadVideoList(), 'test', True)
    sample = data[3]
    assert sample['inputs'].shape == data[4]['inputs'].shape
    assert sample['inputs'].max() == 0
    assert 'v03.mp4: the file is empty' in sample['data_samples'].bad_video
    assert sample['data_samples'].gt_label == 3
    assert 'bad_video' not in data[4]['data_samples']


def test_other_errors_stop(videos: Path) -> None:
    """A defect in the pipeline is no broken video."""
    data = dataset(videos)
    data.pipeline.transforms[3] = lambda results: results['nothing']
    with pytest.raises(KeyError):
        data[0]


# frames


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """30 folders of 4 flow fields, and their list."""
    root = tmp_path / 'flow'
    for i in range(30):
        (root / f'v{i:02d}').mkdir(parents=True)
        for n in range(1, 5):
            for axis in 'xy':
                picture = np.full((20, 24), 8 * i + n, np.uint8)
                name = f'flow_{axis}_{n:05d}.jpg'
                cv2.imwrite(str(root / f'v{i:02d}' / name), picture)
    lines = [f'v{i:02d} 4 {i % 3}\n' for i in range(30)]
    (tmp_path / 'list.txt').write_text(''.join(lines))
    return root


def frame_dataset(root: Path, kind: type = RobustRawframeDataset, **more):
    stock = kind is RawframeDataset
    steps = pipeline('', 'RawFrameDecode' if stock else 'CheckedFrameDecode')
    steps[0] = dict(type='SampleFrames', clip_len=4, num_clips=1)
    return kind(
        ann_file=str(root.parent / 'list.txt'),
        data_prefix=dict(img=str(root)),
        modality='Flow',
        filename_tmpl='flow_{}_{:05d}.jpg',
        pipeline=steps,
        **more,
    )


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _resize(path: Path) -> None:
    cv2.imwrite(str(path), np.zeros((10, 10), np.uint8))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    'spoil_image, reason',
    [
        (Path.unlink, 'flow_y_00003.jpg: No such file'),
        (lambda path: path.write_bytes(b''), 'flow_y_00003.jpg is empty'),
        (lambda path: path.write_bytes(b'text'), 'flow_y_00003.jpg: no pict'),
        (_cut, 'flow_y_00003.jpg is cut short'),
        (_resize, 'no picture'),
        (_pipe, 'flow_y_00003.jpg is no regular file'),
    ],
)
def test_broken_images(frames: Path, spoil_image, reason: str) -> None:
    ours, stock = frame_dataset(frames), frame_dataset(frames, RawframeDataset)
    for i in (0, 29):
        assert same(ours[i], stock[i])
    spoil_image(frames / 'v05' / 'flow_y_00003.jpg')
    meta = ours[5]['data_samples'].metainfo
    assert meta['replaces_video'] == 'v05'
    assert Path(meta['frame_dir']).name != 'v05'
    assert reason in ours.bad_videos.found('train')['v05']
    test = frame_dataset(frames, test_mode=True)
    with pytest.raises(BrokenVideoError, match='v05'):
        test[5]
    test.attach(BadVideoList(), 'test', True)
    still = test[5]
    assert still['inputs'].shape == (1, 2, 4, 16, 16)
    assert set(still['inputs'].unique().tolist()) == {128}


def test_images_of_two_sizes(frames: Path) -> None:
    for axis in 'xy':
        _resize(frames / 'v05' / f'flow_{axis}_00002.jpg')
    data = frame_dataset(frames)
    data[5]
    assert 'sizes' in data.bad_videos.found('train')['v05']


# annotation files


@pytest.mark.parametrize(
    'text, number, problem',
    [
        (b'a.mp4 0\nb.mp4 x\n', 2, "the label 'x' is not a whole number"),
        (b'a.mp4 0\nb.mp4 -1\n', 2, "the label '-1'"),
        (b'a.mp4 0\nb.mp4 1.0\n', 2, "the label '1.0'"),
        ('a.mp4 ٣\n'.encode(), 1, 'is not a whole number'),
        (b'a.mp4 0\nb.mp4\n', 2, 'expected `path label`'),
        (b'a.mp4 0\n\nb.mp4 1\n', 2, 'the line is empty'),
        (b'a.mp4 0\r\n \r\n', 2, 'the line is empty'),
        (b'a b.mp4 0\n', 1, 'a path without blanks'),
        (b'a.mp4 0\n\xff.mp4 1\n', 2, r'no UTF-8 \(byte 1\)'),
        (b'\xef\xbb\xbfa.mp4 0\n', 1, 'a byte order mark'),
        (b'a.mp4 0\nb\0.mp4 1\n', 2, 'a zero byte'),
        (b'a.mp4 0\rb.mp4 1\n', 1, 'carriage return'),
        (b'a.mp4 0\nb.mp4 9\n', 2, 'label 9 with num_classes=5'),
    ],
)
def test_wrong_lines(tmp_path: Path, text, number, problem) -> None:
    (tmp_path / 'list.txt').write_bytes(text)
    with pytest.raises(DataError, match=rf'list.txt:{number}: .*{problem}'):
        dataset(tmp_path / 'videos', num_classes=5)


@pytest.mark.parametrize(
    'text, problem',
    [
        ('a 4\n', 'expected `dir total_frames label`'),
        ('a x 1\n', 'total_frames as numbers'),
        ('a 0 1\n', 'there are no frames'),
        ('a 4 1 2\n', 'a path without blanks'),
    ],
)
def test_wrong_lines_of_frames(tmp_path: Path, text, problem) -> None:
    (tmp_path / 'list.txt').write_text('good 5 0\n' + text)
    with pytest.raises(DataError, match=rf'list.txt:2: .*{problem}'):
        frame_dataset(tmp_path / 'flow')


def test_good_lines(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_bytes(b'a.mp4 0\r\nb.mp4 12\r\n')
    data = dataset(tmp_path / 'videos')
    assert data.name_of(1) == 'b.mp4'
    assert data.get_data_info(1)['label'] == 12
    (tmp_path / 'list.txt').write_text('a.mp4\nb.mp4\n')
    assert len(dataset(tmp_path / 'videos', test_mode=True)) == 2
    (tmp_path / 'list.txt').write_text('a.mp4\nb.mp4 1\n')
    with pytest.raises(DataError, match=':2: only some lines have a label'):
        dataset(tmp_path / 'videos', test_mode=True)
    (tmp_path / 'list.txt').write_text('')
    with pytest.raises(DataError, match='is empty'):
        dataset(tmp_path / 'videos')
    (tmp_path / 'list.txt').unlink()
    with pytest.raises(DataError, match='No such file'):
        dataset(tmp_path / 'videos')


def test_wrong_fraction(videos: Path) -> None:
    with pytest.raises(ConfigError, match='max_bad_fraction=5'):
        dataset(videos, max_bad_fraction=5)
