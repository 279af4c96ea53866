"""Bad input: a clear error, or a counted and reported drop."""

import re
from dataclasses import replace

import numpy as np
import pytest

from lgd_mmaction.detection import TubeProtocol, evaluate_tubes
from lgd_mmaction.detection.annotations import Tube, TubeAnnotations, TubeVideo
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.errors import ConfigError, DataError

BOX = np.array([[16, 16, 48, 48]], np.float32)


def annotations() -> TubeAnnotations:
    videos = {
        name: TubeVideo(name, 3, 64, 64, (Tube(0, 0, BOX.repeat(3, 0)),))
        for name in ('a/one', 'a/two', 'a/other')
    }
    splits = {'1': {'test': ['a/one', 'a/two'], 'train': ['a/other']}}
    return TubeAnnotations('small', ('a', 'b'), splits, videos)


def table() -> BoxTable:
    """The truth as detections, one box in each of the six frames."""
    video, frame = np.divmod(np.arange(6, dtype=np.int32), 3)
    return BoxTable(
        videos=np.array(['a/one', 'a/two']),
        video=video.astype(np.int32),
        frame=frame.astype(np.int32),
        boxes=(BOX / 64).repeat(6, 0),
        scores=np.array([[0.75, 0.25]], np.float32).repeat(6, 0),
        frames_video=video.astype(np.int32),
        frames_frame=frame.astype(np.int32),
    )


def measure(detections: BoxTable, **options):
    return evaluate_tubes(
        detections, annotations(), 1, protocol=TubeProtocol(**options)
    )


def with_box(*box: float, row: int = 4) -> BoxTable:
    changed = table()
    changed.boxes[row] = box
    return changed


def test_clean_input_has_nothing_to_report() -> None:
    report = measure(table())
    assert report.warnings() == []
    assert report.metrics() == {
        **dict.fromkeys(report.means, 1.0),
        'missing_frames': 0,
        'videos_without_boxes': 0,
        'dropped_boxes': 0,
        'clipped_boxes': 0,
    }


@pytest.mark.parametrize(
    'box',
    [
        (np.nan, 0.1, 0.5, 0.5),
        (0.1, 0.1, np.inf, 0.5),
        (0.5, 0.1, 0.2, 0.5),
    ],
    ids=['nan', 'infinite', 'negative size'],
)
def test_invalid_boxes(box: tuple) -> None:
    with pytest.raises(DataError, match=r'1 of 6 .* frame 1 of a/two'):
        measure(with_box(*box))


def test_invalid_scores() -> None:
    bad = table()
    bad.scores[2, 1] = np.nan
    with pytest.raises(DataError, match='frame 2 of a/one'):
        measure(bad)
    bad.scores[2, 1] = -3
    with pytest.raises(DataError, match='negative score.*not logits'):
        measure(bad)


@pytest.mark.parametrize(
    'box',
    [(0.2, 0.3, 0.2, 0.6), (1.2, 0.1, 1.5, 0.5), (0.1, -0.5, 0.5, 0.0)],
    ids=['no width', 'to the right', 'above'],
)
def test_empty_boxes_are_counted(box: tuple) -> None:
    report = measure(with_box(*box))
    assert report.counts['empty_boxes'] == 1
    assert report.counts['clipped_boxes'] == 0
    assert 'without area' in report.warnings()[0]


def test_boxes_across_the_edge_are_cut_and_counted() -> None:
    found = annotations()
    wide = Tube(0, 0, np.array([[48, 16, 64, 48]] * 3, np.float32))
    for name in ('a/one', 'a/two'):
        found.videos[name] = replace(found.videos[name], tubes=(wide,))
    detections = table()
    detections.boxes[:] = [0.75, 0.25, 1.5, 0.75]
    report = evaluate_tubes(detections, found, 1)
    assert report.counts['clipped_boxes'] == 6
    assert set(report.means.values()) == {1.0}
    # the rounding of a fraction is nothing to report
    detections.boxes[:] = [0.75, 0.25, 1.000001, 0.75]
    assert evaluate_tubes(detections, found, 1).counts['clipped_boxes'] == 0


def test_unknown_videos() -> None:
    bad = table()
    bad.videos = np.array(['a/one', 'a/nobody.avi'])
    with pytest.raises(DataError, match=r'a/nobody.avi; names are <class>'):
        measure(bad)
    bad.videos = np.array(['a/one', 'a/other'])
    with pytest.raises(DataError, match='a/other.*not in this subset'):
        measure(bad)
    # a name that nothing uses does no harm
    more = table()
    more.videos = np.array(['a/one', 'a/two', 'a/nobody'])
    assert measure(more).warnings() == []
    more.videos[2] = 'a/one'
    with pytest.raises(DataError, match='name twice'):
        measure(more)


@pytest.mark.parametrize('frame', [-1, 3])
def test_frames_outside_the_video(frame: int) -> None:
    bad = table()
    bad.frame[5] = frame
    with pytest.raises(DataError, match=rf'frame {frame} of a/two.*0\.\.2'):
        measure(bad)


def test_missing_frames() -> None:
    part = table()
    keep = np.array([0, 2, 3, 4, 5])  # frame 1 of a/one
    for name in ('video', 'frame', 'boxes', 'scores'):
        setattr(part, name, getattr(part, name)[keep])
    listed = replace(part)
    # looked at, nothing found
    assert measure(part).warnings() == []
    listed.frames_video = listed.frames_video[keep]
    listed.frames_frame = listed.frames_frame[keep]
    report = measure(listed)
    assert report.metrics()['missing_frames'] == 1
    assert report.means['frame_mAP@0.5'] == pytest.approx(5 / 6)
    listed.frames_video = listed.frames_frame = None
    assert measure(listed).metrics()['missing_frames'] == 1


def test_frames_tested_twice_or_not_listed() -> None:
    bad = table()
    bad.frames_frame = bad.frames_frame.copy()
    bad.frames_frame[1] = 0
    with pytest.raises(DataError, match='twice, first frame 0 of a/one'):
        measure(bad)
    bad.frames_video, bad.frames_frame = (
        bad.frames_video[:5],
        table().frames_frame[:5],
    )
    with pytest.raises(DataError, match='not listed.*frame 2 of a/two'):
        measure(bad)


def test_videos_without_any_box() -> None:
    part = table()
    for name in ('video', 'frame', 'boxes', 'scores'):
        setattr(part, name, getattr(part, name)[:3])
    report = measure(part)
    assert report.metrics()['videos_without_boxes'] == 1
    assert report.means['video_mAP@0.5'] == pytest.approx(0.5)
    for name in ('video', 'frame', 'boxes', 'scores'):
        setattr(part, name, getattr(part, name)[:0])
    report = measure(part)
    assert set(report.means.values()) == {0.0}
    assert report.metrics()['videos_without_boxes'] == 2


def test_wrong_number_of_classes() -> None:
    bad = table()
    bad.scores = np.ones((6, 3), np.float32)
    with pytest.raises(DataError, match='3 scores a box, small has 2'):
        measure(bad)


def test_a_subset_without_tubes() -> None:
    empty = annotations()
    for name, video in empty.videos.items():
        empty.videos[name] = replace(video, tubes=())
    with pytest.raises(DataError, match='no tube'):
        evaluate_tubes(table(), empty, 1)
    with pytest.raises(DataError, match='no split 2/test'):
        evaluate_tubes(table(), annotations(), 2)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'frame_thresholds': 1.5}, 'frame_thresholds'),
        ({'nms_iou': 0}, 'nms_iou'),
        ({'ap': 'coco'}, "'area', 'voc'"),
        ({'invalid': 'ignore'}, 'invalid'),
        ({'linking': {'iou': 0}}, 'iou=0'),
        ({'linking': {'max_gap': -1}}, 'max_gap=-1'),
        ({'linking': {'gap': 1}}, 'gap'),
        ({'linking': {'min_score': -1}}, 'min_score'),
        ({'trimming': {'level': 1}}, 'level=1'),
    ],
)
def test_wrong_settings(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        TubeProtocol.from_dicts(**options)
