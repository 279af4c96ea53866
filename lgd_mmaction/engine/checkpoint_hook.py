"""Checkpoints that a crash cannot tear, and resuming that finds them."""

from pathlib import Path

import torch
from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from lgd_mmaction.checkpoints import (
    MID_EPOCH_FILE,
    fault_of,
    find_resume_point,
)
from lgd_mmaction.errors import CheckpointError, ConfigError, TrainingError
from lgd_mmaction.files import PART, write_bytes


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """The stock CheckpointHook, safe against kills, full disks and NaN.

    Arguments are the stock ones. What is added:

    - the name of a checkpoint, and of ``last_checkpoint``, always stands for
      a complete file;
    - outdated checkpoints, the former best one among them, are removed after
      the new one is complete (stock: before), so the disk needs room for one
      more than ``max_keep_ckpts`` and the best; one that a kill kept from
      being removed is removed after resuming;
    - ``--resume auto`` checks the sums of the checkpoint and falls back to
      the newest complete one, with a warning that says which and why;
    - a run that resumes at the end of an epoch validates it, if it was to be
      validated: a kill may have cut the validation off.

    Raises:
        ConfigError: Another storage than a local disk.
        CheckpointError: The disk does not take a checkpoint; the one that is
            to be resumed is not complete, or none of a folder is.
        TrainingError: Weights are NaN or infinite when they are to be saved.
    """

    _resumed_from: str | None = None
    # batch norm's running statistics of each rank, while they are saved
    _buffers: list[dict[str, Tensor]] | None = None
    _saved_iter: int | None = None

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if (
            self.file_client_args
            or self.backend_args
            or '://' in str(self.out_dir)
        ):
            raise ConfigError(
                'SafeCheckpointHook writes to a local disk; for other '
                "storage set default_hooks.checkpoint.type='CheckpointHook' "
                'and default_hooks.preemption=None'
            )
        self.backend_args = dict(backend='lgd_atomic')

    def before_run(self, runner: Runner) -> None:
        """Find the checkpoint that the runner is about to resume."""
        if runner._has_loaded or not runner._resume:
            return
        outcome = [None, [], None]  # path, notes, error
        if dist.is_main_process():
            try:
                outcome[:2] = self._resume_point(runner)
            except CheckpointError as error:
                outcome[2] = error
        # the other processes may look at another disk, or look too early
        dist.broadcast_object_list(outcome)
        path, notes, error = outcome
        if error:
            raise error
        if notes:
            runner.logger.warning(
                f'SafeCheckpointHook: {"; ".join(notes)}; resuming from '
                f'{path} instead.'
            )
        if path is not None:
            runner._load_from = self._resumed_from = str(path)

    def _resume_point(self, runner: Runner) -> tuple[Path | str, list[str]]:
        """Path and notes; what the user named is taken or refused."""
        path = runner._load_from
        if path is None:
            folder = Path(runner.work_dir)
            if self.out_dir not in (None, runner.work_dir):  # as stock
                folder = Path(self.out_dir) / folder.name
            return find_resume_point(
                runner.work_dir, folder, self.filename_tmpl
            )
        fault = None if '://' in str(path) else fault_of(path)
        if fault is not None:
            raise CheckpointError(
                f'cannot resume from {path}: {fault}; give another '
                'checkpoint, or --resume auto for the newest complete one of '
                'the work directory'
            )
        return path, []

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        self.file_backend = _CheckpointFolder(self.out_dir)
        # without stock's limit of length: the outdated one is in it too
        self.keep_ckpt_ids = list(getattr(self, 'keep_ckpt_ids', ()))
        if dist.is_main_process():  # what a killed run left behind
            for folder in {self.out_dir, runner.work_dir}:
                for part in Path(folder).glob(f'.*{PART}'):
                    part.unlink()
                    runner.logger.info(f'removed the unfinished {part.name}')
        self._validate_again(runner)

    def _validate_again(self, runner: Runner) -> None:
        """Validate, where the checkpoint was written before validation."""
        loop = runner.train_loop
        if (
            self._resumed_from is None
            or not isinstance(loop, EpochBasedTrainLoop)
            or runner.val_loop is None
            or loop.epoch < max(loop.val_begin, 1)
            or loop.iter != loop.epoch * len(loop.dataloader)
        ):
            return
        loop._decide_current_val_interval()
        if loop.epoch % loop.val_interval and loop.epoch != loop.max_epochs:
            return
        runner.logger.info(
            f'SafeCheckpointHook: epoch {loop.epoch} is validated (again) '
            'before training goes on.'
        )
        if Path(self._resumed_from).parent == Path(self.out_dir):
            # saved again, with the score, if it is the best
            self.last_ckpt = self._resumed_from
        runner.val_loop.run()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        self._remove_outdated(runner)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        self._remove_outdated(runner)  # the former best, if a better is saved
        ids = self.keep_ckpt_ids
        if self.max_keep_ckpts > 0:
            if step not in ids:
                ids.append(step)
            # stock removes those beyond the limit when a run resumes
            runner.message_hub.update_info('keep_ckpt_ids', list(ids))
        self._write(runner, self.filename_tmpl.format(step), meta)
        self.file_backend.remove(MID_EPOCH_FILE)
        while len(ids) > self.max_keep_ckpts > 0:
            self.file_backend.remove(self.filename_tmpl.format(ids.pop(0)))
        self._remove_outdated(runner)

    def _remove_outdated(self, runner: Runner) -> None:
        info = runner.message_hub.runtime_info
        best = [v for k, v in info.items() if k.startswith('best_ckpt')]
        if dist.is_main_process():
            self.file_backend.remove_waiting({Path(v).name for v in best})

    def save_state(
        self, runner: Runner, epoch: int, iteration: int, together: bool = True
    ) -> None:
        """Save where the run stands, in mid_epoch.pth, unless that is saved.

        Args:
            runner: The runner of the training.
            epoch, iteration: How many were trained.
            together: All ranks call this at the same step; else only rank
                0's running statistics can be saved.
        """
        if self._saved_iter == iteration:
            return
        if together and dist.get_world_size() > 1:
            own = {k: v.cpu() for k, v in model_of(runner).named_buffers()}
            self._buffers = dist.all_gather_object(own)
        self._write(runner, MID_EPOCH_FILE, dict(epoch=epoch, iter=iteration))
        self._buffers = None

    def _write(self, runner: Runner, name: str, meta: dict) -> None:
        """Write a checkpoint, then let ``last_checkpoint`` name it."""
        self.last_ckpt = str(Path(self.out_dir, name))
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(meta),
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self._saved_iter = meta['iter']
        if dist.is_main_process():
            pointer = Path(runner.work_dir, 'last_checkpoint')
            AtomicBackend().put(self.last_ckpt.encode(), pointer)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse NaN and infinite weights; add each rank's statistics."""
        parameters = dict(model_of(runner).named_parameters())
        bad = [
            name
            for name, value in checkpoint['state_dict'].items()
            # a buffer may mask with -inf
            if isinstance(value, Tensor)
            and (value.isnan() | (value.isinf() & (name in parameters))).any()
        ]
        if bad:
            raise TrainingError(
                f'{len(bad)} tensors of the network are NaN or infinite '
                f'after iteration {checkpoint["meta"]["iter"]}, the first is '
                f'{bad[0]}: not saved, the checkpoints before are untouched '
                f'(last: {last_checkpoint_of(runner)}); lower the learning '
                'rate or look at the data'
            )
        if self._buffers is not None:
            checkpoint['rank_buffers'] = self._buffers

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the statistics of this rank from a state within an epoch."""
        buffers = checkpoint.get('rank_buffers', ())
        if runner._resume and len(buffers) == dist.get_world_size():
            weights = checkpoint['state_dict']
            own = buffers[dist.get_rank()]
            weights.update({k: v for k, v in own.items() if k in weights})


@register_backend('lgd_atomic', force=True)
class AtomicBackend(LocalBackend):
    """mmengine's backend of the local disk, with atomic writes."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        try:
            write_bytes(filepath, obj)
        except OSError as error:
            raise CheckpointError(
                f'{filepath} ({len(obj) / 2**20:.1f} MiB) could not be '
                f'written: {error.strerror or error}; earlier checkpoints '
                'are untouched, so make room or mend the folder and run the '
                'same command with --resume auto'
            ) from error


class _CheckpointFolder(LocalBackend):
    """A folder in which removing waits until what is new is complete.

    Only the names of paths count: the work directory may have been moved.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._waiting: list[str] = []

    def isfile(self, filepath: str | Path) -> bool:
        return (self._folder / Path(filepath).name).is_file()

    def remove(self, filepath: str | Path) -> None:
        self._waiting.append(Path(filepath).name)

    def remove_waiting(self, keep: set[str]) -> None:
        """Remove what waits, but for names that were written again."""
        for name in set(self._waiting) - keep:
            (self._folder / name).unlink(missing_ok=True)
        self._waiting.clear()


def last_checkpoint_of(runner: Runner) -> str:
    """The checkpoint to resume from, in words."""
    pointer = Path(runner.work_dir, 'last_checkpoint')
    return pointer.read_text() if pointer.is_file() else 'there is none'


def model_of(runner: Runner) -> torch.nn.Module:
    """The model without its wrapper for several processes."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model
