"""Frame-mAP and video-mAP of small cases worked out by hand."""

import numpy as np
import pytest

from lgd_mmaction.detection import TubeProtocol, evaluate_tubes
from tests.detection import cases

SIZE = 64  # of the frame; fractions of it are exact


def row(box: list, *scores: float) -> tuple[list, list]:
    return [x / SIZE for x in box], list(scores)


def video(frames: int, *tubes: tuple) -> dict:
    return {'frames': frames, 'width': SIZE, 'height': SIZE, 'tubes': tubes}


def measure(case: dict, **options) -> dict[str, float]:
    report = evaluate_tubes(
        cases.as_table(case),
        cases.as_annotations(case),
        1,
        protocol=TubeProtocol.from_dicts(**options),
    )
    return report.metrics()


def perfect_case(seed: int) -> dict:
    """Actors of several classes, far apart, found exactly."""
    rng = np.random.default_rng(seed)
    videos, found = [], {}
    for v in range(4):
        frames, tubes = int(rng.integers(5, 30)), []
        for place in range(int(rng.integers(v == 0, 4))):
            start = int(rng.integers(0, frames - 3))
            length = int(rng.integers(3, frames - start + 1))
            box = np.array([20 * place, 5, 20 * place + 15, 50], float)
            drift = np.cumsum(rng.integers(-1, 2, length)).clip(-4, 4)
            boxes = box + drift[:, None] * [0, 1, 0, 1]
            tubes.append((int(rng.integers(3)), start, boxes.tolist()))
        videos.append(video(frames, *tubes))
        for frame in range(frames):
            found[v, frame] = [
                row(boxes[frame - start], *np.eye(3)[label].tolist())
                for label, start, boxes in tubes
                if start <= frame < start + len(boxes)
            ]
    return {'classes': 3, 'videos': videos, 'found': found}


@pytest.mark.parametrize('trimming', [None, {}])
@pytest.mark.parametrize('ap', ['area', 'voc'])
@pytest.mark.parametrize('nms_iou', [None, 0.3])
def test_perfect_detections_give_one(
    trimming: dict | None, ap: str, nms_iou: float | None
) -> None:
    for seed in range(5):
        metrics = measure(
            perfect_case(seed),
            trimming=trimming,
            ap=ap,
            nms_iou=nms_iou,
            frame_thresholds=(0.5, 0.95),
        )
        scores = {k: v for k, v in metrics.items() if 'mAP' in k}
        assert len(scores) == 6
        assert set(scores.values()) == {1.0}, scores


def test_a_second_box_of_an_actor_is_wrong() -> None:
    box = [8, 8, 24, 24]
    case = {
        'classes': 1,
        'videos': [video(1, (0, 0, [box])), video(1, (0, 0, [box]))],
        'found': {
            (0, 0): [row(box, 0.9), row(box, 0.8)],
            (1, 0): [row(box, 0.7)],
        },
    }
    # right, wrong, right: 1/2 + 7/24
    assert measure(case)['frame_mAP@0.5'] == pytest.approx(19 / 24)
    assert measure(case)['video_mAP@0.5'] == pytest.approx(19 / 24)
    assert measure(case, nms_iou=0.5)['frame_mAP@0.5'] == 1
    assert measure(case, nms_iou=0.5)['video_mAP@0.5'] == 1
    assert measure(case, linking={'top_k': 1})['video_mAP@0.5'] == 1


@pytest.mark.parametrize(('found', 'threshold'), [(8, 0.8), (5, 0.5)])
def test_tubes_that_are_too_short_in_time(found: int, threshold: int) -> None:
    box = [8, 8, 24, 24]
    case = {
        'classes': 1,
        'videos': [video(10, (0, 0, [box] * 10))],
        'found': {(0, f): [row(box, 1.0)] * (f < found) for f in range(10)},
    }
    at = (threshold, threshold + 0.01)
    metrics = measure(case, video_thresholds=at)
    assert metrics[f'video_mAP@{at[0]:g}'] == 1
    assert metrics[f'video_mAP@{at[1]:g}'] == 0


def test_a_gap_is_filled_by_a_straight_line() -> None:
    boxes = [[2 * f, 0, 2 * f + 16, 16] for f in range(10)]
    found = {(0, f): [row(boxes[f], 1.0)] for f in range(10)}
    found[0, 4] = found[0, 5] = found[0, 6] = []
    case = {'classes': 1, 'videos': [video(10, (0, 0, boxes))]}
    case['found'] = found
    assert measure(case)['video_mAP@0.5:0.95'] == 1
    short = {'linking': {'max_gap': 2}, 'video_thresholds': (0.4, 0.5)}
    # two tubes of 4 and 3 frames of 10
    assert measure(case, **short)['video_mAP@0.4'] == 1
    assert measure(case, **short)['video_mAP@0.5'] == 0


def test_frames_tested_at_an_interval_make_whole_tubes() -> None:
    boxes = [[2 * f, 0, 2 * f + 16, 16] for f in range(13)]
    case = {
        'classes': 1,
        'videos': [video(13, (0, 0, boxes))],
        'found': {(0, f): [row(boxes[f], 1.0)] for f in range(0, 13, 4)},
    }
    metrics = measure(case)
    assert metrics['missing_frames'] == 9
    # 4 of 13 boxes were looked for; the tube is there from end to end
    assert metrics['frame_mAP@0.5'] == pytest.approx(4 / 13)
    assert metrics['video_mAP@0.5:0.95'] == 1


def test_trimming_finds_the_action_in_a_long_tube() -> None:
    box = [8, 8, 24, 40]
    case = {
        'classes': 1,
        'videos': [video(40, (0, 10, [box] * 20))],
        'found': {
            (0, f): [row(box, 0.5 if 10 <= f < 30 else 0.125)]
            for f in range(40)
        },
    }
    # a dip of three frames does not cut the action
    case['found'][0, 20] = case['found'][0, 22] = [row(box, 0.125)]
    case['found'][0, 21] = [row(box, 0.0)]
    assert measure(case)['video_mAP@0.75'] == 0
    assert measure(case, trimming={})['video_mAP@0.5:0.95'] == 1
    cut = {'trimming': {'penalty': 0.5}}
    assert measure(case, **cut)['video_mAP@0.75'] == 0


def test_classes_without_truth_have_no_part() -> None:
    box = [8, 8, 24, 24]
    case = {
        'classes': 2,
        'videos': [video(1, (0, 0, [box]))],
        'found': {(0, 0): [row(box, 0.5, 0.9)]},
    }
    assert measure(case)['frame_mAP@0.5'] == 1


@pytest.mark.slow
def test_real_annotations_of_jhmdb_as_detections(shared_data) -> None:
    import zipfile

    archive = shared_data / 'annotations/jhmdb/groundtruths_jhmdb.zip'
    videos, found, lines = {}, {}, {}
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            if name.endswith('.txt'):
                stem, frame = name[:-4].rsplit('_', 1)
                text = file.read(name).decode().split()
                lines.setdefault(stem, {})[int(frame)] = text
    for v, frames in enumerate(lines.values()):
        first, boxes = min(frames), []
        for frame in sorted(frames):
            label, *box = frames[frame][:5]
            boxes.append(np.clip(np.array(box, float) / 320, 0, 1) * 320)
        videos[v] = {'frames': len(boxes), 'width': 320, 'height': 320}
        videos[v]['tubes'] = ((int(label) - 1, 0, boxes),)
        scores = np.eye(21)[int(label) - 1].tolist()
        for frame in frames:
            box = (boxes[frame - first] / 320).tolist()
            found[v, frame - first] = [(box, scores)]
    case = {'classes': 21, 'videos': list(videos.values()), 'found': found}
    assert len(videos) == 268
    metrics = measure(case)
    assert metrics['missing_frames'] == metrics['dropped_boxes'] == 0
    assert metrics['frame_mAP@0.5'] == 1
    assert metrics['video_mAP@0.75'] == 1
