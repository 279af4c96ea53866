"""Save and end with exit code 85 on SIGTERM."""

import os
import signal
import threading
import time

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce, barrier, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner

from lgd_mmaction.engine.checkpoint_hook import (
    SafeCheckpointHook,
    last_checkpoint_of,
)
from lgd_mmaction.errors import ConfigError

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
# seconds in which a second signal is the same request, passed on
SAME_REQUEST = 2.0
# HTCondor's example for "checkpointed, start me again"; not 1 or 2, which
# are errors, and not above 128, which are deaths by signal
EXIT_PREEMPTED = 85


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Ends training with a checkpoint when the process is told to stop.

    On SIGTERM, SIGINT (Ctrl-C) or SIGUSR1 the step is finished, all ranks
    agree on it, the state is saved as ``mid_epoch.pth`` and the process ends
    with exit code 85. ``--resume auto`` goes on with the next batch, to the
    same weights as a run that was never stopped. It is enough that one rank
    gets the signal. During validation a process ends after the batch that it
    is at, if need be rank 0 saves first; after resuming the validation is
    done again. Another signal, more than two seconds after the first, kills
    at once. (The launcher and the cluster may both pass the first one on.)

    Cost: one all-reduce of one number a step, none in a single process.

    Raises:
        ConfigError: There is no ``SafeCheckpointHook`` to save with.
    """

    priority = 'LOWEST'  # after the checkpoint of the step

    def __init__(self) -> None:
        self._stock: dict[int, object] = {}  # handlers before
        self._signal: int | None = None
        self._since = 0.0

    def before_run(self, runner: Runner) -> None:
        if not isinstance(runner._train_loop, BaseLoop):
            return  # a test may be interrupted
        if _checkpoint_hook(runner) is None:
            raise ConfigError(
                'PreemptionHook saves with SafeCheckpointHook: set default_'
                'hooks.checkpoint.type to it, or default_hooks.preemption '
                'to None.'
            )
        self._signal = None
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._stock[number] = signal.signal(number, self._heard)

    def _heard(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if self._signal is None:
            self._signal, self._since = number, now
            name = signal.Signals(number).name
            # a logger may be in the middle of a line
            text = f'\n{name}: finishing the step, then saving.\n'
            os.write(2, text.encode())
        elif now - self._since > SAME_REQUEST:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, *args, **kwargs
    ) -> None:
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop) and self.end_of_epoch(
            loop.dataloader, batch_idx
        ):
            return  # after_train_epoch follows
        # gradients that are being accumulated are not saved
        if runner.optim_wrapper.should_update() and self._any_told():
            self._leave(runner, runner.epoch, runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        if by_epoch and self._any_told():
            self._leave(runner, runner.epoch + 1, runner.iter)

    def after_val_iter(self, runner: Runner, *args, **kwargs) -> None:
        if self._stock and self._signal is not None:
            # at once: ranks may be at different batches
            self._leave(runner, runner.epoch, runner.iter, together=False)

    def after_run(self, runner: Runner) -> None:
        for number, handler in self._stock.items():
            signal.signal(number, handler)
        self._stock.clear()

    def _any_told(self) -> bool:
        told = torch.tensor(float(self._signal is not None))
        all_reduce(told, 'max')  # nothing in a single process
        return bool(told.item())

    def _leave(
        self, runner: Runner, epoch: int, iteration: int, together: bool = True
    ) -> None:
        if together or is_main_process():
            _checkpoint_hook(runner).save_state(
                runner, epoch, iteration, together
            )
        if together:
            barrier()  # until the checkpoint is written
        self._since = time.monotonic()  # the same request must not kill
        own = self._signal and signal.Signals(self._signal).name
        _end(runner, own or 'the signal of another rank', iteration)


def end_for_resuming(runner: Runner) -> None:
    """Save where a single process stands between two steps; exit code 85."""
    hook = _checkpoint_hook(runner)
    if (
        hook
        and isinstance(runner._train_loop, BaseLoop)
        and get_world_size() == 1
        # gradients that are being accumulated are not saved
        and runner.optim_wrapper.should_update()
    ):
        hook.save_state(runner, runner.epoch, runner.iter)
    _end(runner, 'a data worker was lost', runner.iter)


def _end(runner: Runner, why: str, iteration: int) -> None:
    runner.logger.warning(
        f'{why} after iteration {iteration}: ending with exit code '
        f'{EXIT_PREEMPTED}; the same command, of a training with --resume '
        f'auto, goes on (last checkpoint: {last_checkpoint_of(runner)}).'
    )
    runner.visualizer.close()
    raise SystemExit(EXIT_PREEMPTED)


def _checkpoint_hook(runner: Runner) -> SafeCheckpointHook | None:
    hooks = (h for h in runner.hooks if isinstance(h, SafeCheckpointHook))
    return next(hooks, None)
