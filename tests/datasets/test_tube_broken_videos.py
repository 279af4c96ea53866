"""Key frames of videos that cannot be read: replaced, or counted as missed."""

from pathlib import Path

import pytest
from mmaction.registry import DATASETS
from mmengine.dataset import Compose

from lgd_mmaction.engine import TubeMetric
from lgd_mmaction.errors import DataError
from lgd_mmaction.video import transforms
from lgd_mmaction.video.bad_videos import BadVideoList
from lgd_mmaction.video.errors import BrokenVideoError, TooManyBadVideosError
from tests.datasets import tiny_tubes as tiny

PIPELINE = [
    dict(type='VideoOpen'),
    dict(type='SampleKeyFrames', clip_len=4),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, 48)),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(
        type='PackActionInputs',
        meta_keys=('img_shape', 'video_id', 'timestamp', 'proposal_scores'),
    ),
]


def build(root: Path, **arguments: object):
    return DATASETS.build(
        dict(
            type='ActionTubeDataset',
            ann_file=str(root / 'tubes.json'),
            data_prefix=dict(video=str(root / 'videos')),
            pipeline=PIPELINE,
            **arguments,
        )
    )


def cut(path: Path) -> None:
    """Its first bytes, without a picture."""
    path.write_bytes(path.read_bytes()[:500])


def video_of(data: dict) -> str:
    return data['data_samples'].video_id


@pytest.mark.slow
def test_training_shows_another_video(tmp_path: Path) -> None:
    tiny.make(tmp_path)
    cut(tmp_path / 'videos' / 'a' / '0.avi')
    train = build(tmp_path, max_bad_fraction=0.5)
    train.attach(BadVideoList(tmp_path / 'bad.txt'), 'train', False)
    data = train[0]
    assert video_of(data) != 'a/0'
    assert data['data_samples'].replaces_video == 'a/0.avi'
    # the same one again, and a video counts once however many frames it has
    assert video_of(train[0]) == video_of(data)
    train[1]
    assert list(train.bad_videos.found('train')) == ['a/0.avi']


def test_too_many_are_counted_by_videos(tmp_path: Path) -> None:
    tiny.make(tmp_path)
    cut(tmp_path / 'videos' / 'a' / '0.avi')
    train = build(tmp_path, max_bad_fraction=0.2)
    # one of four videos is more than a fifth of them
    with pytest.raises(TooManyBadVideosError, match='1 of 4 videos'):
        train[0]


@pytest.mark.slow
def test_a_test_ends_with_an_error_or_a_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.make(tmp_path)
    cut(tmp_path / 'videos' / 'a' / '1.avi')
    test = build(tmp_path, subset='test', test_mode=True)
    with pytest.raises(BrokenVideoError, match=r'1\.avi'):
        test[0]
    test.attach(BadVideoList(), 'test', True)

    def evaluate(bad_videos: str) -> dict:
        metric = TubeMetric(
            str(tmp_path / 'tubes.json'), 1, bad_videos=bad_videos
        )
        for i in range(len(test)):
            sample = test[i]['data_samples']
            # what a perfect network would say, also of the black clip
            height, width = sample.img_shape
            boxes = sample.gt_instances.bboxes.clone()
            boxes[:, 0::2] /= width
            boxes[:, 1::2] /= height
            sample.pred_instances = type(sample.gt_instances)(
                bboxes=boxes, scores=sample.gt_instances.labels
            )
            metric.process(None, [sample.to_dict()])
        return metric.evaluate(len(test))

    with pytest.raises(DataError, match=r'1 videos cannot be read.*1\.avi'):
        evaluate('error')
    opened = []
    stock = transforms.ENGINES['pyav']

    def video(path: str, **kwargs: object) -> stock:
        opened.append(path)
        return stock(path, **kwargs)

    monkeypatch.setitem(transforms.ENGINES, 'pyav', video)
    metrics = evaluate('wrong')
    # once, not for each of its 24 frames
    path = str(tmp_path / 'videos' / 'a' / '1.avi')
    assert opened.count(path) == 1 and len(opened) > 24
    # class a has one test video, and it is broken; class b is perfect
    assert metrics['tube/frame_mAP@0.5'] == 0.5
    assert metrics['tube/video_mAP@0.5'] == 0.5
    assert metrics['tube/bad_videos'] == 1
    assert metrics['tube/missing_frames'] == 0


def test_pipeline_of_a_placeholder_keeps_the_boxes_in_it(
    tmp_path: Path,
) -> None:
    tiny.make(tmp_path)
    test = build(tmp_path, subset='test', test_mode=True)
    data = Compose(PIPELINE)({**test.get_data_info(3), 'placeholder': True})
    assert data['inputs'].sum() == 0
    width = data['data_samples'].img_shape[1]
    assert data['data_samples'].gt_instances.bboxes.max() <= width
