"""Broken videos in the accuracy: an error, or wrong; never a guess."""

import numpy as np
import pytest
import torch
from mmaction.evaluation import AccMetric
from mmaction.registry import METRICS
from mmengine.evaluator import Evaluator

from lgd_mmaction.engine.accuracy import print_intervals
from lgd_mmaction.errors import ConfigError, DataError

CLASSES = 4


def samples(bad: tuple[int, ...] = (), count: int = 12) -> list[dict]:
    """Scores that are mostly right, and what a model returns beside."""
    rng = np.random.default_rng(0)
    out = []
    for i in range(count):
        score = rng.random(CLASSES)
        score[i % CLASSES] += 0.5
        sample = dict(
            pred_score=torch.tensor(score),
            gt_label=torch.tensor([i % CLASSES]),
        )
        if i in bad:
            # even where the black clip happens to be answered rightly
            sample['pred_score'] = torch.eye(CLASSES)[i % CLASSES]
            sample['bad_video'] = f'v{i}.mp4: no video'
        out.append(sample)
    return out


def evaluate(data: list[dict], **options) -> dict:
    metric = METRICS.build(dict(type='RobustAccMetric', **options))
    metric.process(None, data)
    return metric.evaluate(len(data))


def test_without_broken_videos_as_stock() -> None:
    stock = AccMetric()
    stock.process(None, samples())
    expected = stock.evaluate(12)
    assert evaluate(samples()) == expected
    with_count = evaluate(samples(), bad_videos='wrong')
    assert with_count == {**expected, 'acc/bad_videos': 0}
    assert 0.5 < expected['acc/top1'] < 1


def test_intervals_stand_beside_the_accuracies(monkeypatch) -> None:
    said = []
    name = 'lgd_mmaction.engine.accuracy.print_log'
    monkeypatch.setattr(name, lambda text, **_: said.append(text))
    print_intervals({'acc/top1': 0.95, 'acc/top5': 1.0, 'acc/mean1': 0.9}, 20)
    n, p, z = 20, 0.95, 1.959964
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)
    assert said == [
        'with the 95 % interval of 20 videos: acc/top1 0.9500 '
        f'({middle - half:.4f} to {middle + half:.4f}), acc/top5 1.0000 '
        f'({n / (n + z**2):.4f} to 1.0000)'
    ]
    evaluate(samples())
    assert said[1].startswith('with the 95 % interval of 12 videos: acc/top1')


def test_error_names_all() -> None:
    with pytest.raises(DataError) as error:
        evaluate(samples((2, 5, 7)))
    text = str(error.value)
    assert text.startswith('3 videos cannot be read')
    assert all(f'v{i}.mp4: no video' in text for i in (2, 5, 7))
    assert 'test_evaluator.bad_videos=wrong' in text


def test_wrong_in_every_measure() -> None:
    bad = (2, 5, 6)
    got = evaluate(samples(bad), bad_videos='wrong')
    scores = np.stack([s['pred_score'].numpy() for s in samples()])
    labels = np.arange(12) % CLASSES
    right = scores.argmax(1) == labels
    right[list(bad)] = False
    assert got['acc/top1'] == pytest.approx(right.mean())
    # of four classes every label is among the first five, but not theirs
    assert got['acc/top5'] == pytest.approx(9 / 12)
    per_class = [right[labels == k].mean() for k in range(CLASSES)]
    assert got['acc/mean1'] == pytest.approx(np.mean(per_class))
    assert got['acc/bad_videos'] == 3


def test_all_broken() -> None:
    got = evaluate(samples(tuple(range(12))), bad_videos='wrong')
    assert got == {
        'acc/top1': 0,
        'acc/top5': 0,
        'acc/mean1': 0,
        'acc/bad_videos': 12,
    }


def test_several_labels_a_video() -> None:
    def data(bad: tuple[int, ...]) -> list[dict]:
        out = samples(bad)
        for i, sample in enumerate(out):
            sample['gt_label'] = torch.eye(CLASSES)[i % CLASSES]
        return out

    options = dict(metric_list='mean_average_precision', bad_videos='wrong')
    whole = evaluate(data(()), **options)
    less = evaluate(data((2, 5)), **options)
    key = 'acc/mean_average_precision'
    assert 0 < less[key] < whole[key] <= 1
    assert less['acc/bad_videos'] == 2


def test_dumped_scores_are_no_scores(tmp_path) -> None:
    """In a dump that comes after the metric, as tools/test.py adds it."""
    from lgd_tools.results.scores import load_scores

    path = tmp_path / 'dump.pkl'
    dump = dict(type='DumpResults', out_file_path=str(path))
    accuracy = dict(type='RobustAccMetric', bad_videos='wrong')
    evaluator = Evaluator([accuracy, dump])
    data = samples((2,))
    for i, sample in enumerate(data):
        sample['filename'] = f'v{i}.mp4'
    evaluator.process(data_samples=data)
    evaluator.evaluate(12)
    with pytest.raises(Exception, match='v2.mp4'):  # not fused as if real
        load_scores(path)


def test_wrong_argument() -> None:
    with pytest.raises(ConfigError, match="bad_videos='skip'"):
        METRICS.build(dict(type='RobustAccMetric', bad_videos='skip'))
