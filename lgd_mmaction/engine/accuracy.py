"""Accuracy of a test in which some videos could not be read."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.evaluation import AccMetric, mean_class_accuracy
from mmaction.registry import METRICS
from mmengine.logging import print_log
from scipy.stats import binomtest

from lgd_mmaction.datasets.robust_video_dataset import BAD_KEY
from lgd_mmaction.errors import ConfigError, DataError, LGDError


class KnowsBadVideos:
    """A metric that takes no broken video for a tested one.

    A mixin, before the metric's class. The robust data sets put a marked
    black clip where a video cannot be read, so that a test reaches its end;
    ``bad_videos`` decides what becomes of it. The metric has a ``measure``
    in place of ``compute_metrics``: only rank 0 runs it, and its error is
    raised on every rank, so that none waits for ever.

    Args:
        bad_videos: 'error', a DataError after the test, or 'wrong'.
    """

    def __init__(self, *args, bad_videos: str = 'error', **kwargs) -> None:
        if bad_videos not in ('error', 'wrong'):
            raise ConfigError(
                f'bad_videos={bad_videos!r} of {type(self).__name__} is not '
                "'error' or 'wrong'"
            )
        self.bad_videos = bad_videos
        super().__init__(*args, **kwargs)

    def settle(self, bad: Sequence[str], remedy: str) -> dict[str, int]:
        """Refuse broken videos (DataError), or count them in the metrics.

        Args:
            bad: A sentence for each.
            remedy: What counts them as wrong.
        """
        if bad:
            # thousands of names help nobody
            names = '; '.join(bad[:100]) + '; ...' * (len(bad) > 100)
            text = (
                f'{len(bad)} videos cannot be read: {names} (bad_videos.txt '
                'in the work directory lists them)'
            )
            if self.bad_videos == 'error':
                raise DataError(
                    f'{text}, so nothing was measured; repair them, leave '
                    f'them out of the list, or count them as wrong: {remedy}'
                )
            print_log(f'{text}; they count as wrong', 'current', 30)
        return dict(bad_videos=len(bad)) if self.bad_videos == 'wrong' else {}

    def compute_metrics(self, results: list) -> dict[str, Any]:
        try:
            return self.measure(results)
        except LGDError as error:
            return {'failure': str(error)}

    def evaluate(self, size: int) -> dict[str, float]:
        metrics = super().evaluate(size)
        failure = metrics.get(f'{self.prefix}/failure')
        if failure is not None:
            raise DataError(failure)
        return metrics


@METRICS.register_module()
class RobustAccMetric(KnowsBadVideos, AccMetric):
    """``AccMetric`` that never takes a broken video for a tested one.

    With ``bad_videos='wrong'`` they are in no top-k, count in the number of
    their class, and ``bad_videos`` among the metrics is how many there were.
    In their data samples the scores become NaN, so that a dump
    (``tools/test.py --dump``, which comes after this metric) holds none that
    look real; its key ``bad_video`` says why.

    Arguments are those of :class:`KnowsBadVideos` and of ``AccMetric``.
    """

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
        print_intervals(metrics, size)
        return metrics

    def measure(self, results: list[dict]) -> dict:
        bad = [r for r in results if r['bad'] is not None]
        count = self.settle(
            [r['bad'] for r in bad],
            '--cfg-options test_evaluator.bad_videos=wrong',
        )
        labels = [r['label'] for r in results]
        single = all(isinstance(label, int) for label in labels)
        for r in bad:
            # ranked last of all (several labels a video), or a wrong answer
            r['pred'] = np.full_like(r['pred'], -1)
            if single:
                other = (n for n in labels if n != r['label'])
                r['pred'][next(other, r['label'] - 1)] = 0
                r['label'] = -1  # no class is -1, so it is in no top-k
        metrics = AccMetric.compute_metrics(self, results)
        if bad and 'mean1' in metrics:
            scores = [r['pred'] for r in results]
            metrics['mean1'] = mean_class_accuracy(scores, labels)
        return metrics | count


def print_intervals(metrics: dict, videos: int) -> None:
    """Log the 95 % Wilson interval of each top-k accuracy.

    Where several videos are of one recording, the truth is wider.
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
