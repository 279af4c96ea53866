"""Leaving in order when the machine is taken away."""

import os
import signal
import threading
import time

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce, barrier, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner

from lgd_mmaction.engine.safe_checkpoint_hook import SafeCheckpointHook
from lgd_mmaction.errors import ConfigError

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
    gets the signal.

    - At the end of an epoch its checkpoint is saved as usual.
    - During validation a process ends after the batch that it is at, if need
      be rank 0 saves first; after resuming the validation is done again.
    - Another signal, more than two seconds after the first, kills at once.
      (The launcher and the cluster may both pass the first one on.)

    Cost: one all-reduce of one number every ``interval`` steps, none in a
    single process.

    Args:
        interval: Steps between two questions to the other ranks.
        exit_code: What the process returns, 1 .. 127.
        signals: Names of the signals.

    Raises:
        ConfigError: Bad arguments, or no ``SafeCheckpointHook`` to save with.
    """

    priority = 'LOWEST'  # after the checkpoint of the step
    _same_request = 2.0  # seconds

    def __init__(
        self,
        interval: int = 1,
        exit_code: int = EXIT_PREEMPTED,
        signals: tuple[str, ...] = ('SIGTERM', 'SIGINT', 'SIGUSR1'),
    ) -> None:
        if interval < 1 or not 0 < exit_code < 128:
            raise ConfigError(
                f'PreemptionHook got interval={interval} and exit_code='
                f'{exit_code}: the one is at least 1, the other 1 .. 127.'
            )
        unknown = [name for name in signals if not hasattr(signal, name)]
        if unknown:
            raise ConfigError(
                f'PreemptionHook: there is no signal {unknown[0]}; give '
                'names such as "SIGTERM".'
            )
        self.interval = interval
        self.exit_code = exit_code
        self.signals = [getattr(signal, name) for name in signals]
        self._stock: dict[int, object] = {}
        self._signal: int | None = None
        self._since = 0.0

    def before_run(self, runner: Runner) -> None:
        """Listen to the signals, in training only."""
        if not isinstance(runner._train_loop, BaseLoop):
            return
        if not any(isinstance(h, SafeCheckpointHook) for h in runner.hooks):
            raise ConfigError(
                'PreemptionHook saves with SafeCheckpointHook: set default_'
                'hooks.checkpoint.type to it, or default_hooks.preemption '
                'to None.'
            )
        self._signal = None
        if threading.current_thread() is threading.main_thread():
            for number in self.signals:
                self._stock[number] = signal.signal(number, self._heard)

    def _heard(self, number: int, frame: object) -> None:
        """The signal handler."""
        now = time.monotonic()
        if self._signal is None:
            self._signal, self._since = number, now
            name = signal.Signals(number).name
            # a logger may be in the middle of a line
            text = f'\n{name}: finishing the step, then saving.\n'
            os.write(2, text.encode())
        elif now - self._since > self._same_request:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: object = None,
        outputs: dict | None = None,
    ) -> None:
        """Save and leave, if any rank was told to."""
        loop = runner.train_loop
        if (runner.iter + 1) % self.interval:
            return
        if isinstance(loop, EpochBasedTrainLoop) and self.end_of_epoch(
            loop.dataloader, batch_idx
        ):
            return  # after_train_epoch follows
        if not runner.optim_wrapper.should_update():
            return  # gradients that are being accumulated are not saved
        if self._any_told():
            self._save(runner, runner.epoch, runner.iter + 1)
            self._leave(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """As after a step, with the checkpoint of the epoch where it is."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        if self._any_told():
            self._save(runner, runner.epoch + 1, runner.iter)
            self._leave(runner)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: object = None,
        outputs: object = None,
    ) -> None:
        """Leave at once: ranks may be at different batches."""
        if self._stock and self._signal is not None:
            if is_main_process():
                self._save(runner, runner.epoch, runner.iter, together=False)
            self._leave(runner, together=False)

    def after_run(self, runner: Runner) -> None:
        """Leave the signals to whoever had them."""
        self._give_back_signals()

    def _give_back_signals(self) -> None:
        for number, handler in self._stock.items():
            signal.signal(number, handler)
        self._stock.clear()

    def _any_told(self) -> bool:
        told = self._signal is not None
        if get_world_size() == 1:
            return told
        flag = torch.tensor(float(told))
        all_reduce(flag, 'max')
        return bool(flag.item())

    def _save(
        self, runner: Runner, epoch: int, iteration: int, together: bool = True
    ) -> None:
        (hook,) = [
            h for h in runner.hooks if isinstance(h, SafeCheckpointHook)
        ][:1]
        if hook.saved_iter != iteration:
            hook.save_state(runner, epoch, iteration, together)

    def _leave(self, runner: Runner, together: bool = True) -> None:
        if together:
            barrier()  # until the checkpoint is written
        name = 'the signal of another rank'
        if self._signal is not None:
            name = signal.Signals(self._signal).name
        runner.logger.warning(
            f'PreemptionHook: {name} after iteration '
            f'{runner.message_hub.get_info("iter") + 1}: saved, ending with '
            f'exit code {self.exit_code}; the same command with --resume '
            'auto goes on from here.'
        )
        runner.visualizer.close()
        self._since = time.monotonic()
        for number in self._stock:
            signal.signal(number, self._on_the_way_out)
        raise SystemExit(self.exit_code)

    def _on_the_way_out(self, number: int, frame: object) -> None:
        """The handler from then on: the same request must not kill."""
        if time.monotonic() - self._since > self._same_request:
            self._give_back_signals()
            os.kill(os.getpid(), number)
