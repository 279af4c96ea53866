"""TubeMetric in the registry, in a test loop, and on several ranks."""

import logging
import multiprocessing
import os
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import METRICS
from mmaction.structures import ActionDataSample
from mmengine.structures import InstanceData

from lgd_mmaction.detection import TubeProtocol, evaluate_tubes
from lgd_mmaction.detection.annotations import save_tubes
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.engine import TubeMetric
from lgd_mmaction.errors import ConfigError, DataError
from tests.detection import cases


@pytest.fixture(scope='module')
def case() -> dict:
    return cases.random_case(np.random.default_rng(11))


@pytest.fixture(scope='module')
def ann_file(case: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('tubes') / 'tubes.json'
    save_tubes(cases.as_annotations(case), path)
    return path


def samples(case: dict, dtype: torch.dtype = torch.float32) -> list[dict]:
    """Data samples as the test loop hands them to the metric."""
    out = []
    for (v, frame), rows in sorted(case['found'].items()):
        sample = ActionDataSample()
        sample.set_metainfo(dict(video_id=f'v{v}', timestamp=frame))
        boxes = torch.tensor([box for box, _ in rows]).reshape(-1, 4)
        scores = torch.tensor([scores for _, scores in rows], dtype=dtype)
        sample.pred_instances = InstanceData(
            bboxes=boxes, scores=scores.reshape(-1, case['classes'])
        )
        out.append(sample.to_dict())
    return out


def test_equals_the_measure_of_a_table(
    case: dict, ann_file: Path, tmp_path: Path
) -> None:
    out_file = tmp_path / 'found' / 'detections.npz'
    metric = METRICS.build(
        dict(
            type='TubeMetric',
            ann_file=str(ann_file),
            split=1,
            linking=dict(iou=0.1),
            trimming=dict(),
            out_file=str(out_file),
        )
    )
    every = samples(case)
    for i in np.random.default_rng(0).permutation(len(every)):
        metric.process(None, [every[i]])
    metrics = metric.evaluate(len(every))
    report = evaluate_tubes(
        cases.as_table(case),
        cases.as_annotations(case),
        1,
        protocol=TubeProtocol.from_dicts(dict(iou=0.1), dict()),
    )
    assert metrics == {f'tube/{k}': v for k, v in report.metrics().items()}
    assert 0 < metrics['tube/video_mAP@0.2'] < 1
    assert set(report.means) == {
        'frame_mAP@0.5',
        'video_mAP@0.2',
        'video_mAP@0.5',
        'video_mAP@0.75',
        'video_mAP@0.5:0.95',
    }
    # the file gives the same once more
    again = BoxTable.load(out_file, 'detections')
    report = evaluate_tubes(again, metric.annotations, 1)
    assert report.counts['boxes'] == len(again) > 0
    # and the next epoch starts from nothing
    assert metric.results == []


def test_half_precision_and_proposal_scores(
    case: dict, ann_file: Path
) -> None:
    metric = TubeMetric(str(ann_file), 1)
    every = samples(case, torch.bfloat16)
    sample = next(s for s in every if len(s['pred_instances']['scores']) > 1)
    number = len(sample['pred_instances']['scores'])
    weights = np.linspace(0.25, 1, number).astype(np.float32)
    metric.process(None, [{**sample, 'proposal_scores': weights}])
    scores = sample['pred_instances']['scores'].float().numpy()
    np.testing.assert_array_equal(
        metric.results[0].scores, scores * weights[:, None]
    )
    with pytest.raises(DataError, match='proposal scores'):
        metric.process(None, [{**sample, 'proposal_scores': weights[1:]}])


def test_samples_that_do_not_fit(case: dict, ann_file: Path) -> None:
    metric = TubeMetric(str(ann_file), 1)
    sample = samples(case)[0]
    for key in ('video_id', 'timestamp', 'pred_instances'):
        short = {k: v for k, v in sample.items() if k != key}
        with pytest.raises(DataError, match=f'needs {key}'):
            metric.process(None, [short])
    wide = torch.zeros(2, case['classes'] + 1)
    found = dict(bboxes=torch.zeros(2, 4), scores=wide)
    with pytest.raises(DataError, match=f'num_classes={case["classes"]} '):
        metric.process(None, [{**sample, 'pred_instances': found}])


def test_settings_are_checked_at_once(ann_file: Path) -> None:
    with pytest.raises(ConfigError, match='nms_iou'):
        TubeMetric(str(ann_file), 1, nms_iou=3)
    with pytest.raises(DataError, match='no split 7/test'):
        TubeMetric(str(ann_file), 7)
    with pytest.raises(DataError, match='does not exist'):
        TubeMetric(f'{ann_file}.gone', 1)


def test_warnings_and_table_are_logged(case: dict, ann_file: Path) -> None:
    from mmengine.logging import MMLogger

    logger = MMLogger.get_instance('tube-test', log_level='INFO')
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    metric = TubeMetric(str(ann_file), 1)
    metric.process(None, samples(case)[:1])
    metrics = metric.evaluate(1)
    text = '\n'.join(lines)
    missing = metrics['tube/missing_frames']
    assert missing > 0
    assert f'{missing} frames were not tested' in text
    assert 'class 0' in text and 'video_mAP@0.5:0.95' in text


def test_nothing_is_found_in_a_broken_video(
    case: dict, ann_file: Path, tmp_path: Path
) -> None:
    every = samples(case)
    name = next(
        s['video_id'] for s in every if len(s['pred_instances']['scores'])
    )
    others = [s for s in every if s['video_id'] != name]
    metric = TubeMetric(str(ann_file), 1)
    metric.process(None, others)
    expected = metric.evaluate(len(others))
    # one frame of it is a black clip, the others could be read
    first = next(i for i, s in enumerate(every) if s['video_id'] == name)
    every[first]['bad_video'] = f'{name}: cut short'
    metric = TubeMetric(str(ann_file), 1, bad_videos='wrong')
    metric.process(None, every)
    found = metric.evaluate(len(every))
    assert found['tube/bad_videos'] == 1
    for key in expected:
        if 'mAP' in key:
            assert found[key] == pytest.approx(expected[key], abs=1e-12)
    # the error costs no test: the detections are in the file
    path = tmp_path / 'found.npz'
    metric = TubeMetric(str(ann_file), 1, out_file=str(path))
    metric.process(None, every)
    said = f'1 videos cannot be read.*{name}.*evaluate_tubes.py .*found.npz'
    with pytest.raises(DataError, match=said):
        metric.evaluate(len(every))
    table = BoxTable.load(path, 'detections')
    assert len(table.frames_frame) == len(every)
    assert len(table) > 0 and name not in set(table.videos[table.video])


def _rank(rank: int, port: int, ann_file: str, case: dict, bad: bool, out):
    import torch.distributed as dist

    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    dist.init_process_group('gloo', rank=rank, world_size=2)
    try:
        metric = TubeMetric(ann_file, 1, collect_dir=f'{ann_file}.parts')
        every = samples(case)
        # what DefaultSampler gives a rank: every second one, padded
        indices = [i % len(every) for i in range(len(every) + 1)]
        indices = indices[: len(every) + len(every) % 2]
        for i in indices[rank::2]:
            metric.process(None, [every[i]])
        if bad and rank == 1:
            # a detection in a video that nobody knows
            first = next(r for r in metric.results if len(r.boxes))
            metric.results[0] = replace(first, video='nobody')
        try:
            out.put((rank, metric.evaluate(len(every))))
        except DataError as error:
            out.put((rank, str(error)))
    finally:
        dist.destroy_process_group()


def _two_ranks(ann_file: Path, case: dict, bad: bool) -> dict:
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    context = multiprocessing.get_context('fork')
    out = context.SimpleQueue()
    ranks = [
        context.Process(
            target=_rank, args=(r, port, str(ann_file), case, bad, out)
        )
        for r in range(2)
    ]
    for process in ranks:
        process.start()
    try:
        for process in ranks:
            process.join(120)
            assert process.exitcode == 0
        return dict(out.get() for _ in ranks)
    finally:
        for process in ranks:
            process.kill()


def test_two_ranks_give_what_one_gives(case: dict, ann_file: Path) -> None:
    metric = TubeMetric(str(ann_file), 1)
    every = samples(case)
    metric.process(None, every)
    expected = metric.evaluate(len(every))
    both = _two_ranks(ann_file, case, bad=False)
    assert both[0] == both[1] == expected


def test_an_error_of_rank_0_ends_every_rank(
    case: dict, ann_file: Path
) -> None:
    both = _two_ranks(ann_file, case, bad=True)
    assert 'first nobody' in both[0] and both[0] == both[1]
