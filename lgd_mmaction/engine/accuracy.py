"""Accuracy of a test in which some videos could not be read."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.evaluation import AccMetric
from mmaction.registry import METRICS
from mmengine.logging import print_log
from scipy.stats import binomtest

from lgd_mmaction.datasets.robust_video_dataset import BAD_KEY
from lgd_mmaction.errors import ConfigError, DataError

_UNREADABLE = 'unreadable'
# an error message of thousands of names helps nobody: the list has all
MAX_NAMED = 100


@METRICS.register_module()
class RobustAccMetric(AccMetric):
    """``AccMetric`` that never takes a broken video for a tested one.

    The data sets ``RobustVideoDataset`` and ``RobustRawframeDataset`` put a
    marked black clip where a video cannot be read, so that a test reaches
    its end. What becomes of it is decided here: an error that names all the
    broken videos, or a wrong answer for each. As with every metric, each
    video counts once, whatever the number of processes.

    In the data samples of broken videos the scores become NaN, so that a
    dump (``tools/test.py --dump``, which comes after this metric) holds no
    scores that look real; its key ``bad_video`` says why.

    Without broken videos the results are those of ``AccMetric``.

    Args:
        bad_videos: 'error', or 'wrong': broken videos are in no top-k, they
            count in the number of their class, and ``bad_videos`` among the
            metrics is how many there were.
        **kwargs: Those of ``AccMetric``.

    Raises:
        DataError: After the test, in every process, with 'error'.
    """

    knows_bad_videos = True

    def __init__(self, bad_videos: str = 'error', **kwargs: Any) -> None:
        if bad_videos not in ('error', 'wrong'):
            raise ConfigError(
                f'bad_videos={bad_videos!r} of RobustAccMetric is not '
                "'error' or 'wrong'"
            )
        super().__init__(**kwargs)
        self.bad_videos = bad_videos

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        start = len(self.results)
        super().process(data_batch, data_samples)
        for result, sample in zip(
            self.results[start:], data_samples, strict=True
        ):
            result['bad'] = sample.get(BAD_KEY)
            if result['bad'] is not None:
                score = sample['pred_score']
                sample['pred_score'] = torch.full_like(score, float('nan'))

    def evaluate(self, size: int) -> dict:
        metrics = super().evaluate(size)
        key = f'{self.prefix}/{_UNREADABLE}' if self.prefix else _UNREADABLE
        bad = metrics.pop(key, None)
        if bad is not None:  # here, so that no process waits for another
            names = '; '.join(bad[:MAX_NAMED])
            names += '; ...' if len(bad) > MAX_NAMED else ''
            raise DataError(
                f'{len(bad)} of {size} videos cannot be read, so nothing was '
                f'measured: {names} (bad_videos.txt in the work directory '
                'lists them); repair them, leave them out of the list, or '
                'count them as wrong with --cfg-options '
                'test_evaluator.bad_videos=wrong'
            )
        print_intervals(metrics, size)
        return metrics

    def compute_metrics(self, results: list[dict]) -> dict:
        bad = [r['bad'] for r in results if r['bad'] is not None]
        if bad and self.bad_videos == 'error':
            return {_UNREADABLE: bad}
        if not bad:
            metrics = super().compute_metrics(results)
        else:
            metrics = self._with_wrong_ones(results)
            print_log(
                f'{len(bad)} of {len(results)} videos cannot be read and '
                f'count as wrong: {"; ".join(bad[:MAX_NAMED])}',
                logger='current',
                level=30,
            )
        if self.bad_videos == 'wrong':
            metrics['bad_videos'] = len(bad)
        return metrics

    def _with_wrong_ones(self, results: list[dict]) -> dict:
        is_bad = np.array([r['bad'] is not None for r in results])
        labels = [r['label'] for r in results]
        if not all(isinstance(label, int) for label in labels):
            # several labels a video, average precision: ranked last
            preds = [
                np.full_like(r['pred'], -1) if r['bad'] else r['pred']
                for r in results
            ]
            return self.calculate(preds, labels)
        preds = [r['pred'] for r in results]
        # no class is -1, so it is in no top-k
        masked = np.where(is_bad, -1, labels).tolist()
        metrics = self.calculate(preds, masked)
        if 'mean1' in metrics:
            metrics['mean1'] = _mean_class(preds, np.array(labels), is_bad)
        return metrics


def print_intervals(metrics: dict, videos: int) -> None:
    """Log the 95 % Wilson interval of each top-k accuracy.

    It takes videos for independent; where several are of one recording, the
    truth is wider.
    """
    shown = []
    for key, share in metrics.items():
        if re.search(r'top\d+$', key):
            right = binomtest(round(share * videos), videos)
            low, high = right.proportion_ci(method='wilson')
            shown.append(f'{key} {share:.4f} ({low:.4f} to {high:.4f})')
    if shown:
        print_log(
            f'with the 95 % interval of {videos} videos: {", ".join(shown)}',
            logger='current',
        )


def _mean_class(
    preds: list[np.ndarray], labels: np.ndarray, is_bad: np.ndarray
) -> float:
    """Mean class accuracy as the stock one, broken videos never right.

    As there, a class that is answered but never right to answer counts as 0.
    """
    answers = np.argmax(preds, axis=1)
    classes = np.union1d(labels, answers[~is_bad])
    right = (answers == labels) & ~is_bad
    return float(
        np.mean(
            [
                right[labels == k].mean() if (labels == k).any() else 0.0
                for k in classes
            ]
        )
    )
