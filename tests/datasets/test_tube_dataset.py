"""Key frames and boxes of ActionTubeDataset, through the stock transforms."""

import pickle
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, TRANSFORMS

from lgd_mmaction.datasets import tube_dataset
from lgd_mmaction.detection.annotations import (
    Tube,
    TubeAnnotations,
    TubeVideo,
    save_tubes,
)
from lgd_mmaction.detection.proposals import FrameBoxes
from lgd_mmaction.errors import ConfigError, DataError
from tests.datasets import tiny_tubes as tiny

META = ('img_shape', 'video_id', 'timestamp', 'proposal_scores')


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('tubes')
    tiny.make(folder)
    return folder


def pipeline(video: bool, *more: dict, clip_len: int = 5, interval: int = 1):
    sample = dict(
        type='SampleKeyFrames', clip_len=clip_len, frame_interval=interval
    )
    decode = (
        [dict(type='DecordInit'), sample, dict(type='DecordDecode')]
        if video
        else [sample, dict(type='RawFrameDecode')]
    )
    return [
        *decode,
        *more,
        dict(type='FormatShape', input_format='NCTHW', collapse=True),
        dict(type='PackActionInputs', meta_keys=META),
    ]


def build(root: Path, kind: str = 'video', **kwargs):
    where = dict(
        video=dict(data_prefix=dict(video=str(root / 'videos'))),
        frames=dict(
            data_prefix=dict(img=str(root / 'rawframes')),
            use_frames=True,
            filename_tmpl='{:05}.png',
        ),
        flow=dict(data_prefix=dict(img=str(root / 'flow')), modality='Flow'),
    )[kind]
    cfg = dict(
        type='ActionTubeDataset',
        ann_file=str(root / 'tubes.json'),
        pipeline=pipeline(kind == 'video'),
        **where,
    )
    cfg.update(kwargs)
    return DATASETS.build(cfg)


def frames_of(clip: torch.Tensor, kind: str) -> list[int]:
    """Which frames a clip (C, T, H, W) holds, from its background."""
    corner = clip[-1, :, -1, -1].double().numpy()
    return np.rint((corner - 20) / 8).astype(int).tolist()


# ------------------------------------------------------------- key frames


@pytest.mark.parametrize('kind', ['video', 'frames', 'flow'])
@pytest.mark.parametrize('frame', [0, 7, 23])
def test_clip_is_centred_on_the_key_frame(
    root: Path, kind: str, frame: int
) -> None:
    data = build(root, kind, subset='test', test_mode=True)
    sample = data[frame]
    meta = sample['data_samples'].metainfo
    assert meta['video_id'] == 'a/1' and meta['timestamp'] == frame
    # a flow leads to the next frame: the last frame has none
    last = 22 if kind == 'flow' else 23
    expected = np.clip(np.arange(frame - 2, frame + 3), 0, last).tolist()
    assert frames_of(sample['inputs'], kind) == expected
    assert sample['inputs'].shape == (2 if kind == 'flow' else 3, 5, 60, 80)


@pytest.mark.parametrize('kind', ['video', 'frames'])
def test_stock_sampler_is_centred_too(root: Path, kind: str) -> None:
    steps = pipeline(kind == 'video')
    steps[kind == 'video'] = dict(
        type='SampleAVAFrames', clip_len=4, frame_interval=2, test_mode=True
    )
    data = build(root, kind, subset='test', test_mode=True, pipeline=steps)
    assert frames_of(data[10]['inputs'], kind) == [6, 8, 10, 12]


def test_interval_of_lgd2d(root: Path) -> None:
    steps = pipeline(True, clip_len=3, interval=8)
    data = build(root, subset='test', test_mode=True, pipeline=steps)
    assert frames_of(data[12]['inputs'], 'video') == [4, 12, 20]
    assert frames_of(data[20]['inputs'], 'video') == [12, 20, 23]


def test_training_clips_are_consecutive(root: Path) -> None:
    data = build(root, 'frames')
    for index in range(len(data)):
        sample = data[index]
        # the stock sampler would repeat and leave out frames here
        shown = frames_of(sample['inputs'], 'frames')
        t = sample['data_samples'].metainfo['timestamp']
        assert shown == np.clip(np.arange(t - 2, t + 3), 0, 23).tolist()


def test_every_annotated_frame_trains_every_frame_tests(root: Path) -> None:
    train = build(root, pipeline=[])
    seen = Counter((i['video_id'], i['timestamp']) for i in train)
    # a/0, b/0 whole, b/2 from 6 to 15, b/3 never
    expected = [(v, t) for v in ('a/0', 'b/0') for t in range(24)]
    expected += [('b/2', t) for t in range(6, 16)]
    assert seen == Counter(expected)
    test = build(root, pipeline=[], test_mode=True)  # of the same videos
    seen = Counter((i['video_id'], i['timestamp']) for i in test)
    videos = ('a/0', 'b/0', 'b/2', 'b/3')
    assert seen == Counter((v, t) for v in videos for t in range(24))
    empty = test[-1]
    assert empty['video_id'] == 'b/3' and empty['timestamp'] == 23
    assert empty['gt_bboxes'].shape == (0, 4)
    assert empty['gt_labels'].shape == (0, 2)


def test_thinning_by_stride(root: Path) -> None:
    test = build(root, pipeline=[], test_mode=True, frame_stride=8)
    shown = [i['timestamp'] for i in test if i['video_id'] == 'a/0']
    assert shown == [4, 12, 20]
    train = build(root, pipeline=[], frame_stride=8)
    assert len(train) == 3 + 3 + 2
    drawn = [set() for _ in range(3)]
    for _ in range(100):
        for run in range(3):
            drawn[run].add(train[run]['timestamp'])
    assert drawn == [set(range(a, a + 8)) for a in (0, 8, 16)]


def test_thinning_by_number(root: Path) -> None:
    train = build(root, pipeline=[], frames_per_video=4)
    assert len(train) == 12
    drawn = {train[9]['timestamp'] for _ in range(100)}
    assert drawn == {8, 9, 10}  # second quarter of 6 .. 15
    # more runs than frames: one run a frame
    train = build(root, pipeline=[], frames_per_video=99)
    assert len(train) == 24 + 24 + 10
    assert sorted(i['timestamp'] for i in train)[-1] == 23


# ------------------------------------------------------------------ boxes


@pytest.mark.parametrize('kind', ['video', 'frames'])
def test_boxes_labels_and_their_scaling(root: Path, kind: str) -> None:
    resize = dict(type='Resize', scale=(-1, 120))
    flip = dict(type='Flip', flip_ratio=1.0)
    steps = pipeline(kind == 'video', resize, flip)
    data = build(root, kind, pipeline=steps, frame_stride=24)
    info = data.get_data_info(1)
    assert info['video_id'] == 'b/0'
    t = info['timestamp']
    expected = np.array([[8 + t, 10, 32 + t, 40]]) / [80, 60, 80, 60]
    assert np.allclose(info['gt_bboxes'], expected)
    assert info['gt_labels'].tolist() == [[0, 1]]
    assert info['entity_ids'].tolist() == [0]

    sample = data[1]['data_samples']
    t = sample.metainfo['timestamp']
    # twice the size, mirrored: x -> 160 - x
    expected = [[160 - 2 * (32 + t), 20, 160 - 2 * (8 + t), 80]]
    assert sample.gt_instances.bboxes.tolist() == expected
    assert sample.proposals.bboxes.tolist() == expected
    assert sample.gt_instances.labels.dtype == torch.float32


def test_detector_boxes_are_the_proposals_of_a_test(root: Path) -> None:
    data = build(
        root,
        subset='test',
        test_mode=True,
        proposal_file=str(root / 'proposals.npz'),
    )
    sample = data[5]['data_samples']
    # best first, whatever their order in the file
    assert sample.metainfo['proposal_scores'].tolist() == pytest.approx(
        [0.9, 0.4]
    )
    assert np.allclose(
        sample.proposals.bboxes, [[13, 10, 37, 40], [64, 48, 80, 60]]
    )
    empty = data[3]['data_samples']
    assert empty.proposals.bboxes.shape == (0, 4)
    assert empty.metainfo['proposal_scores'].shape == (0,)
    assert len(empty.gt_instances.bboxes) == 1


def test_truth_is_among_the_proposals_of_a_training(root: Path) -> None:
    data = build(
        root,
        pipeline=[],
        proposal_file=str(root / 'proposals.npz'),
    )
    info = data[5]
    assert len(info['proposals']) == 3  # truth and detector boxes
    assert info['proposal_scores'].tolist() == pytest.approx([1, 0.9, 0.4])
    assert len(data[3]['proposals']) == 1  # no detector box there


def test_background_is_a_class_of_its_own(root: Path) -> None:
    data = build(
        root,
        pipeline=[],
        proposal_file=str(root / 'proposals.npz'),
        background=True,
    )
    # frames without action are key frames, those without any box are not
    seen = Counter(i['video_id'] for i in data)
    assert seen == {'a/0': 24, 'b/0': 24, 'b/2': 23, 'b/3': 23}
    info = data[0]
    assert info['gt_labels'].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert np.allclose(info['gt_bboxes'][1], [0.8, 0.8, 1, 1])
    assert info['entity_ids'].tolist() == [0, -1]
    by_frame = {(i['video_id'], i['timestamp']): i for i in data}
    # before its action the actor is background, in the middle it is not
    assert by_frame['b/2', 5]['gt_labels'].tolist() == [[0, 0, 1]] * 2
    assert by_frame['b/2', 6]['gt_labels'].tolist() == [[0, 1, 0], [0, 0, 1]]


def test_at_most_three_boxes_are_background(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tube_dataset, 'MAX_BACKGROUND', 1)
    data = build(
        root,
        pipeline=[],
        proposal_file=str(root / 'proposals.npz'),
        background=True,
    )
    by_frame = {(i['video_id'], i['timestamp']): i for i in data}
    box = by_frame['b/3', 0]['gt_bboxes']
    assert np.allclose(box, [[0.1, 1 / 6, 0.4, 2 / 3]])


def test_splits(root: Path) -> None:
    data = build(root, pipeline=[], split=2, subset='train')
    assert {i['video_id'] for i in data} == {'a/1', 'b/1'}
    with pytest.raises(DataError, match='no split 4/train; there are: 1/'):
        build(root, split=4)


def test_classes_are_in_the_metainfo(root: Path) -> None:
    assert build(root).metainfo['classes'] == ('a', 'b')


# ------------------------------------------------- tables, memory, sharing


def test_frame_boxes_looks_up_as_a_loop_does() -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 30, 200)
    boxes, score = rng.random((200, 4)), rng.random(200)
    table = FrameBoxes(frame, boxes, dict(score=score))
    table = table.take(np.lexsort((-score, frame)))
    for t in range(31):
        mine = np.flatnonzero(frame == t)
        mine = mine[np.argsort(-score[mine])]
        rows = table.rows(t)
        assert np.allclose(table.boxes[rows], boxes[mine])
        assert np.allclose(table.extra['score'][rows], score[mine])


def test_memory_of_a_large_set(tmp_path: Path) -> None:
    frames, count = 100, 200  # 20,000 frames with a box each
    boxes = np.tile(np.float32([1, 2, 30, 40]), (frames, 1))
    videos = {
        f'a/{i}': TubeVideo(f'a/{i}', frames, 80, 60, (Tube(0, 0, boxes),))
        for i in range(count)
    }
    splits = {'1': {'train': list(videos), 'test': []}}
    save_tubes(
        TubeAnnotations('big', ('a', 'b'), splits, videos),
        tmp_path / 'tubes.json',
    )
    for name in videos:
        path = tmp_path / 'videos' / f'{name}.avi'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    data = build(tmp_path, pipeline=[])
    assert len(data) == count * frames
    # what a worker process would copy: bytes a frame
    assert len(pickle.dumps(data)) / len(data) < 150
    # and nothing of it is an object a frame, whose copying forks
    assert data.data_list == []


# --------------------------------------------------------------- bad input


def test_missing_videos_are_counted(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        build(root, data_prefix=dict(video=str(tmp_path)))
    text = str(error.value)
    assert '4 of 4 videos of 1/train are missing' in text
    assert str(tmp_path / 'a' / '0.avi') in text and 'suffix' in text


def test_missing_images_are_counted(root: Path, tmp_path: Path) -> None:
    tiny.make(tmp_path)
    for kind, folder in (('frames', 'rawframes'), ('flow', 'flow')):
        gone = tmp_path / folder / 'b' / '0'
        shutil.rmtree(gone)
        with pytest.raises(DataError, match=f'1 of 4 .* first {gone};'):
            build(tmp_path, kind)


def test_a_video_shorter_than_its_annotation(tmp_path: Path) -> None:
    tiny.make(tmp_path)
    data = tiny.annotations()
    longer = {
        name: TubeVideo(name, v.num_frames + 2, v.width, v.height, v.tubes)
        for name, v in data.videos.items()
    }
    save_tubes(
        TubeAnnotations('tiny', data.classes, data.splits, longer),
        tmp_path / 'tubes.json',
    )
    test = build(tmp_path, subset='test', test_mode=True)
    with pytest.raises(DataError, match='a/1: 24 frames .* has 26'):
        test[0]
    steps = pipeline(True)
    steps[1]['max_missing'] = 2
    test = build(tmp_path, subset='test', test_mode=True, pipeline=steps)
    assert frames_of(test[25]['inputs'], 'video') == [23] * 5


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(modality='Pose'), "use 'RGB' or 'Flow'"),
        (dict(use_frames=True), r'must be dict\(img=folder\)'),
        (dict(frame_stride=0), 'must be 1 or more'),
        (dict(frames_per_video=0), 'must be 1 or more'),
        (dict(frame_stride=2, frames_per_video=2), 'one of them left out'),
        (dict(background=True), 'set proposal_file'),
    ],
)
def test_arguments_that_do_not_fit(
    root: Path, arguments: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build(root, **arguments)


def test_packed_flow_is_refused(root: Path) -> None:
    steps = [dict(type='UnpackFlow')]
    with pytest.raises(ConfigError, match='leave UnpackFlow out'):
        build(root, pipeline=steps)


def test_no_annotated_frame(tmp_path: Path) -> None:
    tiny.make(tmp_path)
    data = tiny.annotations()
    splits = {'1': {'train': ['b/3'], 'test': []}}
    save_tubes(
        TubeAnnotations('tiny', data.classes, splits, data.videos),
        tmp_path / 'tubes.json',
    )
    with pytest.raises(DataError, match='1/train has no annotated frame'):
        build(tmp_path)
    with pytest.raises(DataError, match='1/test has no video'):
        build(tmp_path, subset='test')


def test_sampler_repeats_no_frame_within_the_video() -> None:
    sample = TRANSFORMS.build(dict(type='SampleKeyFrames', clip_len=16))
    results = dict(
        video_id='v',
        modality='RGB',
        num_frames=40,
        total_frames=40,
        timestamp=20,
        **dict.fromkeys(('fps', 'timestamp_start', 'start_index'), 1),
    )
    # images count from 1
    assert sample(results)['frame_inds'].tolist() == [*range(13, 29)]
