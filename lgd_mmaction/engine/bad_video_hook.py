"""Broken videos in a run: one list, counts, and an end when too many."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, barrier
from mmengine.hooks import Hook
from mmengine.runner import Runner

from lgd_mmaction.datasets.bad_videos import (
    BadVideoList,
    TooManyBadVideosError,
)
from lgd_mmaction.datasets.robust_video_dataset import (
    REPLACES_KEY,
    SurvivesBadVideos,
)


@HOOKS.register_module()
class BadVideoHook(Hook):
    """Gives the robust data sets of a run a list in its work directory.

    Every process and data worker enters the broken videos that it finds in
    ``<work_dir>/bad_videos.txt`` (see :class:`BadVideoList`), so each is
    logged once and all are counted together. After an epoch of training with
    broken videos the log says how many there are, how many reads were
    replaced and which worker found them; the processes of several nodes that
    share no disk compare their counts there.

    In validation and test it lets the data sets mark broken videos, if a
    metric of the evaluator looks at the marks (``RobustAccMetric``).

    Without robust data sets it does nothing.

    Args:
        filename: Name of the list in the work directory.

    Raises:
        TooManyBadVideosError: At the end of an epoch, when all nodes
            together have more broken videos than the data set allows.
    """

    # errors come before anything is logged
    priority = 'HIGH'

    def __init__(self, filename: str = 'bad_videos.txt') -> None:
        self.filename = filename
        self.list: BadVideoList | None = None
        self.replaced = 0

    def before_run(self, runner: Runner) -> None:
        self.list = BadVideoList(Path(runner.work_dir) / self.filename)
        # what was there before counts for no process
        barrier()

    def before_train(self, runner: Runner) -> None:
        datasets = list(robust_datasets(runner.train_dataloader.dataset))
        # the list is that of all data sets, and so is what it may hold
        allowed, total = _allowance(datasets)
        for dataset in datasets:
            dataset.attach(self.list, 'train', False, allowed, total)

    def before_val(self, runner: Runner) -> None:
        self._attach(runner.val_loop, 'val')

    def before_test(self, runner: Runner) -> None:
        self._attach(runner.test_loop, 'test')

    def _attach(self, loop: Any, subset: str) -> None:
        marks = any(
            getattr(metric, 'knows_bad_videos', False)
            for metric in loop.evaluator.metrics
        )
        for dataset in robust_datasets(loop.dataloader.dataset):
            dataset.attach(self.list, subset, marks)

    def before_train_epoch(self, runner: Runner) -> None:
        self.replaced = 0

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        if isinstance(data_batch, dict):
            for sample in data_batch.get('data_samples') or ():
                keys = getattr(sample, 'metainfo_keys', list)()
                self.replaced += REPLACES_KEY in keys

    def after_train_epoch(self, runner: Runner) -> None:
        datasets = list(robust_datasets(runner.train_dataloader.dataset))
        if not datasets:
            return
        mine = (self.list.found('train'), self.list.by_worker('train'))
        every = all_gather_object((*mine, self.replaced))
        bad = {name for found, _, _ in every for name in found}
        if not bad:
            return
        workers = {k: n for _, counts, _ in every for k, n in counts.items()}
        replaced = sum(count for _, _, count in every)
        allowed, length = _allowance(datasets)
        found_by = ', '.join(f'{k}: {n}' for k, n in workers.items())
        runner.logger.warning(
            f'epoch {runner.epoch + 1}: {len(bad)} of {length} training '
            f'videos cannot be read ({found_by}); {replaced} reads were '
            f'replaced by other videos; see {self.list.path or "the log"}'
        )
        if len(bad) > allowed:
            raise TooManyBadVideosError(
                f'{len(bad)} of {length} training videos cannot be read, '
                f'more than max_bad_fraction allows; {self.list.path} lists '
                'those of this node: repair them, or leave them out with '
                '--exclude of tools/data'
            )


def _allowance(datasets: list[SurvivesBadVideos]) -> tuple[float, int]:
    """How many videos may be broken, and of how many."""
    sizes = [dataset.num_videos for dataset in datasets]
    parts = zip(datasets, sizes, strict=True)
    return sum(d.max_bad_fraction * size for d, size in parts), sum(sizes)


def robust_datasets(dataset: Any) -> Iterator[SurvivesBadVideos]:
    """The robust data sets within wrappers (RepeatDataset, Concat...)."""
    if isinstance(dataset, SurvivesBadVideos):
        yield dataset
        return
    inner = getattr(dataset, 'dataset', None)
    if inner is not None:
        yield from robust_datasets(inner)
    for part in getattr(dataset, 'datasets', None) or ():
        yield from robust_datasets(part)
