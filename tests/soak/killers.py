"""How a rank of a training dies at a chosen moment.

Each function returns one that the rank calls before it trains.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


def note_of(folder: Path, pid: int) -> Path:
    """Where a rank notes before which hook it got SIGTERM."""
    return folder / f'signal_{pid}.log'


def killer_in_files(at: int) -> Callable[[], None]:
    """Dies inside the at-th operation of the writing of checkpoints."""

    def prepare() -> None:
        count, rank = 0, os.getpid()

        def dying(owner: Any, name: str) -> None:
            stock = getattr(owner, name)

            def operation(*args: Any, **kwargs: Any) -> Any:
                nonlocal count
                count += os.getpid() == rank  # not in its data workers
                if count == at + 1:
                    if owner is Path:  # half of the bytes
                        stock(args[0], args[1][: len(args[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return stock(*args, **kwargs)

            setattr(owner, name, operation)

        dying(Path, 'write_bytes')
        for name in ('fsync', 'replace', 'unlink'):
            dying(os, name)

    return prepare


def sender_at_hook(at: int, folder: Path) -> Callable[[], None]:
    """Gets SIGTERM before the at-th call of hooks once training has begun."""

    def prepare() -> None:
        from mmengine.runner import Runner

        stock, count = Runner.call_hook, -1

        def call_hook(self: Any, name: str, **kwargs: Any) -> None:
            nonlocal count
            if count >= 0 or name == 'before_train':
                count += 1
                if count == at + 1:
                    note_of(folder, os.getpid()).write_text(name)
                    os.kill(os.getpid(), signal.SIGTERM)
            stock(self, name, **kwargs)

        Runner.call_hook = call_hook

    return prepare


def killer_at_switch(after: bool) -> Callable[[], None]:
    """Dies before or after the stage is set, but not when building."""

    def prepare() -> None:
        from lgd_mmaction.engine.two_stage_hook import TwoStageHook

        stock = TwoStageHook.before_train_epoch

        def before_train_epoch(self: Any, runner: Any) -> None:
            switch = runner.epoch == self.switch_epoch
            if switch and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            stock(self, runner)
            if switch:
                os.kill(os.getpid(), signal.SIGKILL)

        TwoStageHook.before_train_epoch = before_train_epoch

    return prepare
