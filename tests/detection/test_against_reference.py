"""Every measure equals the slow reference on thousands of random cases."""

import math

import numpy as np
import pytest

from lgd_mmaction.detection import TubeProtocol, evaluate_tubes, video_map
from tests.detection import cases, reference

FRAME = (0.3, 0.5, 0.75)
VIDEO = (0.1, 0.2, 0.5, 0.75)


def random_options(rng: np.random.Generator) -> dict:
    """Arguments of TubeProtocol.from_dicts."""
    some = rng.random(8) < 0.5
    return {
        'frame_thresholds': FRAME,
        'video_thresholds': VIDEO,
        'ap': 'voc' if some[0] else 'area',
        'nms_iou': float(rng.choice([0.3, 0.6])) if some[3] else None,
        'trimming': {
            'level': float(rng.choice([0.25, 0.5, 0.6])),
            'penalty': float(rng.choice([0, 0.25, 0.5, 1])),
        }
        if some[4]
        else None,
        'linking': {
            'top_k': int(rng.choice([1, 2, 10])),
            'iou': float(rng.choice([0.1, 0.2, 0.5])),
            'overlap_weight': float(rng.choice([0, 0.5, 1])),
            'max_gap': int(rng.choice([0, 1, 3])),
            'min_length': int(rng.choice([1, 1, 3])),
            'min_score': 0.3 if some[5] and some[6] else 0.0,
        },
    }


def check(seed: int) -> int:
    """Compare one case; returns how many values were compared."""
    rng = np.random.default_rng(seed)
    case, options = cases.random_case(rng), random_options(rng)
    annotations = cases.as_annotations(case)
    report = evaluate_tubes(
        cases.as_table(case, rng),
        annotations,
        1,
        protocol=TubeProtocol.from_dicts(**options),
    )
    common = {'kind': options['ap']}
    trimming = options['trimming'] and (
        options['trimming']['level'],
        options['trimming']['penalty'],
    )
    linking = dict(options['linking'])
    linking['min_iou'] = linking.pop('iou')
    linking['weight'] = linking.pop('overlap_weight')
    linking['nms'] = options['nms_iou']
    compared = 0

    def compare(name: str, label: int, expected: float | None) -> None:
        nonlocal compared
        value = report.per_class[name][label]
        if expected is None:
            assert math.isnan(value), (seed, name, label)
        else:
            assert abs(value - expected) < 1e-9, (seed, name, label, options)
            compared += 1

    for label in range(case['classes']):
        for threshold in FRAME:
            expected = reference.frame_ap(
                case, label, threshold, options['nms_iou'], **common
            )
            compare(f'frame_mAP@{threshold:g}', label, expected)
        for threshold in VIDEO:
            expected = reference.video_ap(
                case,
                label,
                threshold,
                **common,
                trimming=trimming,
                **linking,
            )
            compare(f'video_mAP@{threshold:g}', label, expected)
    for name, values in report.per_class.items():
        there = [v for v in values.tolist() if not math.isnan(v)]
        mean = sum(there) / len(there)
        assert abs(report.means[name] - mean) < 1e-9
    return compared


def test_quick_cases() -> None:
    # enough of them have something to compare
    assert sum(check(seed) for seed in range(120)) > 1200


def test_forks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_map, 'FRAMES_A_PROCESS', 4)
    monkeypatch.setattr('os.cpu_count', lambda: 2)
    asked = []
    pool = video_map.ProcessPoolExecutor
    monkeypatch.setattr(
        video_map,
        'ProcessPoolExecutor',
        lambda processes, *more: (
            asked.append(processes) or pool(processes, *more)
        ),
    )
    assert sum(check(seed) for seed in range(10)) > 100
    assert {*asked} == {2} and len(asked) > 5


@pytest.mark.slow
def test_thousands_of_cases() -> None:
    assert sum(check(seed) for seed in range(1000, 3000)) > 20_000


def test_cases_are_awkward() -> None:
    """What the cases are for does happen in them."""
    seen = dict.fromkeys(
        ('tie', 'two of a class', 'empty video', 'untested', 'outside'), 0
    )
    for seed in range(100):
        case = cases.random_case(np.random.default_rng(seed))
        rows = [row for rows in case['found'].values() for row in rows]
        scores = [scores[0] for _, scores in rows]
        seen['tie'] += len(set(scores)) < len(scores)
        seen['outside'] += any(min(b) < 0 or max(b) > 1 for b, _ in rows)
        labels = [[t[0] for t in v['tubes']] for v in case['videos']]
        seen['two of a class'] += any(len(set(a)) < len(a) for a in labels)
        seen['untested'] += len(case['found']) < sum(
            v['frames'] for v in case['videos']
        )
        seen['empty video'] += any(not a for a in labels)
    assert min(seen.values()) > 20, seen
