"""A data loader that outlives data workers which crash or hang."""

import signal
from collections import Counter, deque
from collections.abc import Iterator
from multiprocessing.connection import wait
from typing import Any

from mmengine.logging import print_log
from torch.utils.data import DataLoader
from torch.utils.data._utils import signal_handling

from lgd_mmaction.datasets.robust_video_dataset import MAX_IN_A_ROW
from lgd_mmaction.engine.epoch_seed_hook import set_batch_sampler
from lgd_mmaction.video.bad_videos import BadVideoList
from lgd_mmaction.video.reading_notes import ReadingNotes

# seconds between two looks at workers that let the training wait
_LOOK = 1
# seconds that one may need to die, and to leave a core
_DYING = 10


class _WorkersLost(Exception):
    """Which slots of the notes died or hang, and of what."""

    def __init__(self, slots: dict[int, str], hang: bool) -> None:
        super().__init__(', '.join(slots.values()))
        self.slots = slots
        self.hang = hang


class GuardedLoader(DataLoader):
    """A ``DataLoader`` whose workers are started again when they are lost.

    The batches that were not yet handed out are read again, in their order,
    so nothing is left out or seen twice. A video on which a second worker
    dies, or over which all work stood still for the time limit, is put on
    the list of videos that are not opened: the data set then treats it as
    any broken one. The time in which the job is suspended does not count.

    Made of an ordinary loader by :func:`guard_loader`.

    Raises:
        RuntimeError: As the stock loader, when a worker died while it was
            reading no video.
    """

    notes: ReadingNotes
    bad_videos: BadVideoList
    subset: str
    time_limit: float

    def __iter__(self) -> Iterator[Any]:
        source, drawn = iter(self.batch_sampler), deque()
        deaths, in_a_row = Counter(), 0
        workers = self._start(source, drawn)
        while True:
            try:
                batch = self._next(workers)
            except StopIteration:
                return
            except _WorkersLost as lost:
                self._blame(lost, deaths)
                in_a_row += 1
                if in_a_row > MAX_IN_A_ROW:
                    raise RuntimeError(
                        f'DataLoader workers exited {in_a_row} times in a row '
                        f'without a batch between: {lost}'
                    ) from lost.__cause__
                self._iterator = None
                for process in workers._workers:
                    process.kill()
                    process.join()
                workers = self._start(source, drawn)
                continue
            in_a_row = 0
            drawn.popleft()
            yield batch

    def _start(self, source: Iterator, drawn: deque) -> Iterator:
        """Workers that read what was drawn and not handed out, then on."""

        def batches() -> Iterator[list[int]]:
            yield from tuple(drawn)
            for batch in source:
                drawn.append(batch)
                yield batch

        self.notes.clear()
        whole = self.batch_sampler
        sampler = _Batches(whole, batches())
        if self._iterator is not None:  # workers that persist keep theirs
            self._iterator._index_sampler = sampler
        # torch's handler would raise at any moment, within a step too; one
        # that another loader of this process installed sees these workers
        stock = signal.getsignal(signal.SIGCHLD)
        if getattr(stock, '__module__', None) == signal_handling.__name__:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        install = signal_handling._set_SIGCHLD_handler
        signal_handling._set_SIGCHLD_handler = lambda: None
        set_batch_sampler(self, sampler)
        try:
            return super().__iter__()
        finally:
            set_batch_sampler(self, whole)
            signal_handling._set_SIGCHLD_handler = install

    def _next(self, workers: Iterator) -> Any:
        """The next batch; looks at the workers for as long as it waits."""
        still, before = 0, None
        while True:
            try:
                return next(workers)
            except (RuntimeError, OSError, EOFError) as error:
                reason = str(error)
                if ' in DataLoader worker process ' in reason:
                    raise  # what the data set raised
                if not reason.startswith('DataLoader timed out'):
                    # what a worker had not handed over is gone with it
                    slots = _died(workers._workers)
                    if slots:
                        raise _WorkersLost(slots, hang=False) from error
                    raise
                now = self.notes.now()
                still = still + 1 if now == before else 0
                before = now
                if now and still * _LOOK >= self.time_limit:
                    why = f'reading it took over {self.time_limit:g} seconds'
                    slots = dict.fromkeys(now, why)
                    raise _WorkersLost(slots, hang=True) from error

    def _blame(self, lost: _WorkersLost, deaths: Counter) -> None:
        """Say which videos it was; those of a second death are listed."""
        read = self.notes.now()
        guilty = {
            read[slot][1]: why
            for slot, why in lost.slots.items()
            if slot in read
        }
        if not guilty:
            raise RuntimeError(
                f'a DataLoader worker exited while it read no video: {lost}'
            ) from lost.__cause__
        for name, why in guilty.items():
            deaths[name] += 1
            what = f'{name}: {why}; data workers are started again'
            if lost.hang or deaths[name] > 1:
                self.bad_videos.condemn(name, why, self.subset)
                what += ', and it is not opened any more'
            print_log(what, logger='current', level=30)


class _Batches:
    """A batch sampler for one iteration, with the length of the whole."""

    def __init__(self, whole: Any, batches: Iterator) -> None:
        self.whole = whole
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        return self.batches

    def __len__(self) -> int:
        return len(self.whole)


def guard_loader(
    loader: DataLoader,
    notes: ReadingNotes,
    bad_videos: BadVideoList,
    subset: str,
    time_limit: float,
) -> None:
    """Make a loader with data workers a :class:`GuardedLoader`.

    Args:
        loader: Changed in place; one without workers stays as it is.
        notes: Where its data sets note what they read.
        bad_videos: The list of the run.
        subset: 'train', 'val' or 'test'.
        time_limit: Seconds for one sample; the loader's own ``timeout``
            comes before it.
    """
    if loader.num_workers and not isinstance(loader, GuardedLoader):
        loader.__class__ = GuardedLoader
        loader.notes, loader.bad_videos = notes, bad_videos
        loader.subset = subset
        loader.time_limit = loader.timeout or time_limit
        loader.timeout = _LOOK


def _died(workers: list) -> dict[int, str]:
    """Which slots are of workers that died, and of what."""
    # one that is dying closes its pipes before it is seen as dead
    dying = wait([process.sentinel for process in workers], timeout=_DYING)
    slots = {}
    for i, process in enumerate(workers):
        if process.sentinel in dying:
            process.join(_DYING)
        code = process.exitcode
        if code is not None:
            how = f'exit code {code}'
            if code < 0:
                how = signal.Signals(-code).name
            slots[1 + i] = f'ended its process ({how})'
    return slots
