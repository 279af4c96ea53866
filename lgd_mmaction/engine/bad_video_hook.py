"""Broken videos in a run: one list, counts, and an end when too many."""

from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, barrier
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from lgd_mmaction.datasets.robust_video_dataset import (
    REPLACES_KEY,
    SurvivesBadVideos,
    allowance,
)
from lgd_mmaction.engine.accuracy import KnowsBadVideos
from lgd_mmaction.engine.guarded_loader import guard_loader
from lgd_mmaction.engine.preemption_hook import end_for_resuming
from lgd_mmaction.errors import ConfigError
from lgd_mmaction.video.bad_videos import NOT_OPENED, BadVideoList
from lgd_mmaction.video.errors import TooManyBadVideosError
from lgd_mmaction.video.reading_notes import ReadingNotes, take_crashes


@HOOKS.register_module()
class BadVideoHook(Hook):
    """Lists the broken videos of a run in ``<work_dir>/bad_videos.txt``.

    Every process and data worker enters what it finds (see
    :class:`BadVideoList`). After an epoch of training the log says how many
    there are and how many reads were replaced, on all nodes together. In
    validation and test the robust data sets mark broken videos, if a metric
    looks at the marks (``RobustAccMetric``).

    What no check of a file can foresee, a crash or a hang within FFmpeg, ends
    the process that reads. If it is a data worker, the video is listed, a
    single process saves its state (see :class:`PreemptionHook`), and the run
    ends with exit code 85. The next start in this work directory, such as one
    with ``--resume auto``, knows which video it was and does not open it.

    Args:
        filename: Name of the list in the work directory.
        time_limit: Seconds for reading one sample, those in which the job
            is suspended included; less than the process group's time-out.

    Raises:
        ConfigError: The time limit is not above 0.
        TooManyBadVideosError: At the end of an epoch, when all nodes
            together have more broken videos than the data set allows.
    """

    # errors come before anything is logged
    priority = 'HIGH'

    def __init__(
        self, filename: str = 'bad_videos.txt', time_limit: float = 300
    ) -> None:
        if not time_limit > 0:
            raise ConfigError(
                f'BadVideoHook got time_limit={time_limit}: give the seconds '
                'that reading one clip may take'
            )
        self.filename = filename
        self.time_limit = time_limit
        self.list: BadVideoList | None = None
        self.replaced = 0

    def before_run(self, runner: Runner) -> None:
        path = Path(runner.work_dir, self.filename)
        self.list = BadVideoList(path)
        self._list_crashes(runner)
        barrier()
        # what was there before counts for no process
        self.list = BadVideoList(path)
        barrier()

    def _list_crashes(self, runner: Runner) -> bool:
        """Enter the videos on which processes of this rank ended, if any."""
        crashes = take_crashes(runner.work_dir)
        for subset, name, cause in crashes:
            reason = f'{NOT_OPENED}reading it ended in "{cause}"'
            self.list.add(name, reason, subset)
            print_log(f'{name}: {reason}', logger='current', level=30)
        return bool(crashes)

    def before_train(self, runner: Runner) -> None:
        self._attach(runner, runner.train_loop, 'train')

    def before_val(self, runner: Runner) -> None:
        self._attach(runner, runner.val_loop, 'val')

    def before_test(self, runner: Runner) -> None:
        self._attach(runner, runner.test_loop, 'test')

    def _attach(self, runner: Runner, loop: Any, subset: str) -> None:
        """Give the data sets the list, and look when a reader is lost."""
        datasets = robust_datasets(loop.dataloader.dataset)
        if not datasets:
            return

        def when_lost() -> None:
            if self._list_crashes(runner):
                end_for_resuming(runner)

        guard_loader(loop.dataloader, when_lost)
        notes = ReadingNotes(runner.work_dir, subset, self.time_limit)
        metrics = [] if subset == 'train' else loop.evaluator.metrics
        marks = any(isinstance(m, KnowsBadVideos) for m in metrics)
        # the list is that of all data sets, and so is what it may hold
        limit = allowance(datasets)
        for dataset in datasets:
            dataset.attach(self.list, subset, marks, limit, notes)

    def before_train_epoch(self, runner: Runner) -> None:
        self.replaced = 0

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        if isinstance(data_batch, dict):
            samples = data_batch.get('data_samples') or ()
            self.replaced += sum(REPLACES_KEY in sample for sample in samples)

    def after_train_epoch(self, runner: Runner) -> None:
        every = all_gather_object((self.list.found('train'), self.replaced))
        bad = {name for found, _ in every for name in found}
        if not bad:
            return
        datasets = robust_datasets(runner.train_dataloader.dataset)
        allowed, length = allowance(datasets)
        text = f'{len(bad)} of {length} training videos cannot be read'
        where = self.list.path or 'the log'
        runner.logger.warning(
            f'epoch {runner.epoch + 1}: {text}; {sum(n for _, n in every)} '
            f'reads were replaced by other videos; see {where}'
        )
        if len(bad) > allowed:
            raise TooManyBadVideosError(
                f'{text}, more than max_bad_fraction allows; {where} lists '
                'those of this node: repair them, or leave them out with '
                '--exclude of tools/data'
            )


def robust_datasets(dataset: Any) -> list[SurvivesBadVideos]:
    """The robust data sets within wrappers (RepeatDataset, Concat...)."""
    if isinstance(dataset, SurvivesBadVideos):
        return [dataset]
    parts = [getattr(dataset, 'dataset', None)]
    parts += getattr(dataset, 'datasets', None) or ()
    return sum((robust_datasets(p) for p in parts if p is not None), [])
