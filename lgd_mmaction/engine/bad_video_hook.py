"""Broken videos in a run: one list, counts, and an end when too many."""

import faulthandler
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, barrier, get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from lgd_mmaction.datasets.robust_video_dataset import (
    REPLACES_KEY,
    SurvivesBadVideos,
)
from lgd_mmaction.engine.guarded_loader import guard_loader
from lgd_mmaction.errors import ConfigError
from lgd_mmaction.video.bad_videos import BadVideoList
from lgd_mmaction.video.errors import TooManyBadVideosError
from lgd_mmaction.video.reading_notes import ReadingNotes, read_notes

_SUBSETS = ('train', 'val', 'test')


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

    What no check of a file can foresee, a crash or a hang within FFmpeg:
    data workers are started again (see :class:`GuardedLoader`), and the video
    counts as broken. Without data workers the process itself dies of a crash;
    the next start in this work directory, such as one with ``--resume auto``,
    then knows which video it was and does not open it. A hang there is
    noticed by nobody.

    Without robust data sets it does nothing.

    Args:
        filename: Name of the list in the work directory.
        time_limit: Seconds that a data worker has for one sample, if the
            loader's own ``timeout`` is not set. Less than the time-out of
            the process group.

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
        self.notes: dict[str, ReadingNotes] = {}
        self.replaced = 0

    def before_run(self, runner: Runner) -> None:
        path = Path(runner.work_dir) / self.filename
        self._list_crash(path)
        barrier()
        self.list = BadVideoList(path)
        # what was there before counts for no process
        barrier()

    def _list_crash(self, path: Path) -> None:
        """Enter the video on which the process before this one crashed."""
        crash = path.with_name(f'.crash_{get_rank()}')
        # what only killed it wrote nothing there
        if not crash.exists() or not crash.stat().st_size:
            return
        how = crash.read_text(errors='replace').splitlines()[0]
        crash.unlink()
        for subset in _SUBSETS:
            note = read_notes(_notes_path(path.parent, subset)).get(0)
            if note is None:
                continue
            found = BadVideoList(path)
            found.condemn(note[1], f'reading it ended in "{how}"', subset)
            reason = found.condemned(note[1], subset)
            found.add(note[1], reason, subset)
            print_log(f'{note[1]}: {reason}', logger='current', level=30)

    def _guard(self, runner: Runner, loader: Any, subset: str) -> ReadingNotes:
        """Let readers note what they read, and others see to the notes."""
        if subset not in self.notes:
            path = _notes_path(runner.work_dir, subset)
            self.notes[subset] = ReadingNotes(path)
        notes = self.notes[subset]
        guard_loader(loader, notes, self.list, subset, self.time_limit)
        if not loader.num_workers:
            path = Path(runner.work_dir, f'.crash_{get_rank()}')
            # keeps it open, for the moment in which nothing can be opened
            faulthandler.enable(path.open('w'))
        return notes

    def before_train(self, runner: Runner) -> None:
        datasets = list(robust_datasets(runner.train_dataloader.dataset))
        if not datasets:
            return
        # the list is that of all data sets, and so is what it may hold
        allowed, total = _allowance(datasets)
        notes = self._guard(runner, runner.train_dataloader, 'train')
        for dataset in datasets:
            dataset.attach(self.list, 'train', False, allowed, total, notes)

    def before_val(self, runner: Runner) -> None:
        self._attach(runner, runner.val_loop, 'val')

    def before_test(self, runner: Runner) -> None:
        self._attach(runner, runner.test_loop, 'test')

    def _attach(self, runner: Runner, loop: Any, subset: str) -> None:
        datasets = list(robust_datasets(loop.dataloader.dataset))
        if not datasets:
            return
        marks = any(
            getattr(metric, 'knows_bad_videos', False)
            for metric in loop.evaluator.metrics
        )
        notes = self._guard(runner, loop.dataloader, subset)
        for dataset in datasets:
            dataset.attach(self.list, subset, marks, notes=notes)

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


def _notes_path(folder: str | Path, subset: str) -> Path:
    return Path(folder, f'.reading_{subset}_{get_rank()}')


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
