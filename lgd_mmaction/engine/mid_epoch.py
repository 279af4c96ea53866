"""Going on within an epoch: batches that were trained are not read again."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader


def batches_done(runner: Runner) -> int:
    """How many batches of the coming epoch a resumed run has trained.

    0 at the beginning of an epoch, for loops that count iterations, and
    with a warning where batch size, data or number of processes have changed
    since, so that the rest of the epoch is another one.
    """
    loop = runner.train_loop
    if not isinstance(loop, EpochBasedTrainLoop):
        return 0
    length = len(loop.dataloader)
    before = runner.message_hub.get_info('epoch_length', length)
    done = loop.iter - loop.epoch * before
    if done == 0:
        return 0
    if before != length or not 0 < done < length:
        runner.logger.warning(
            f'EpochSeedHook: the checkpoint was written {done} iterations '
            f'into an epoch of {before}, and an epoch has {length} now: '
            f'epoch {loop.epoch + 1} begins anew.'
        )
        return 0
    return done


def skip_batches(loop: EpochBasedTrainLoop, done: int) -> None:
    """Let the coming epoch begin after so many batches, unread.

    Their indices are drawn from the sampler and dropped; hooks, and so the
    log, get the numbers that the batches have in the whole epoch. Undone by
    :func:`read_all_batches`.

    Args:
        loop: The train loop; its loader must have a batch sampler.
        done: Batches to leave out.
    """
    loader = loop.dataloader
    set_batch_sampler(loader, _Rest(loader.batch_sampler, done))

    def run_iter(idx: int, data_batch: Any) -> None:
        type(loop).run_iter(loop, idx + done, data_batch)

    loop.run_iter = run_iter


def read_all_batches(loop: EpochBasedTrainLoop) -> None:
    """Undo :func:`skip_batches`; nothing happens where it was not called."""
    sampler = loop.dataloader.batch_sampler
    if isinstance(sampler, _Rest):
        set_batch_sampler(loop.dataloader, sampler.whole)
        del loop.run_iter


def set_batch_sampler(loader: DataLoader, sampler: Any) -> None:
    """Replace the batch sampler; torch forbids it by assignment.

    It is read at the beginning of each epoch; that workers are started
    afresh there is up to the caller.
    """
    vars(loader)['batch_sampler'] = sampler


class _Rest:
    """A batch sampler without its first batches, of the same length.

    The length stays that of a whole epoch: schedules and logs count on it.
    """

    def __init__(self, whole: Any, done: int) -> None:
        self.whole = whole
        self.done = done

    def __iter__(self) -> Iterator[list[int]]:
        return islice(iter(self.whole), self.done, None)

    def __len__(self) -> int:
        return len(self.whole)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)
