"""A data loader that tells when one of its workers was lost."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import DataLoader
from torch.utils.data._utils import signal_handling


class GuardedLoader(DataLoader):
    """Calls ``when_lost`` before it raises for a worker, between two steps."""

    when_lost: Callable[[], None]

    def __iter__(self) -> Iterator[Any]:
        # torch's handler would raise at any moment, within a step too; an
        # earlier loader may have installed it
        stock = signal.getsignal(signal.SIGCHLD)
        if getattr(stock, '__module__', None) == signal_handling.__name__:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        install = signal_handling._set_SIGCHLD_handler
        signal_handling._set_SIGCHLD_handler = lambda: None
        try:
            batches = super().__iter__()
        finally:
            signal_handling._set_SIGCHLD_handler = install
        try:
            yield from batches
        # what a worker had not handed over is gone with it
        except (RuntimeError, OSError, EOFError) as error:
            if ' in DataLoader worker process ' not in str(error):
                self.when_lost()
            raise


def guard_loader(loader: DataLoader, when_lost: Callable[[], None]) -> None:
    """Make a loader with data workers a :class:`GuardedLoader`, in place."""
    if loader.num_workers:
        loader.__class__ = GuardedLoader
        loader.when_lost = when_lost
