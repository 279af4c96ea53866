"""Checkpoints that a crash cannot tear, and resuming that finds them."""

import os
from pathlib import Path

import torch
from mmaction.registry import HOOKS
from mmengine.dist import (
    broadcast_object_list,
    get_world_size,
    is_main_process,
)
from mmengine.hooks import CheckpointHook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

from lgd_mmaction.checkpoints import (
    MID_EPOCH_FILE,
    checkpoint_folder,
    fault_of,
    find_resume_point,
)
from lgd_mmaction.engine.rank_buffers import RankBuffers
from lgd_mmaction.errors import CheckpointError, TrainingError
from lgd_mmaction.files import (
    AtomicBackend,
    remove_parts,
    write_atomic,
)

_VALIDATED = 'last_validation'


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """The stock CheckpointHook, safe against kills, full disks and NaN.

    Takes the stock arguments. What is added, on the local disk:

    - every checkpoint and ``last_checkpoint`` is written under a hidden name,
      synced and renamed: its name always stands for a complete file;
    - outdated checkpoints, the former best one among them, are removed after
      the new one is complete (stock: before), so the disk needs room for one
      more than ``max_keep_ckpts`` and the best; one that a kill kept from
      being removed is removed after resuming;
    - ``--resume auto`` checks the sums of the checkpoint and falls back to
      the newest complete one, with a warning that says which and why;
    - a validation that a kill cut off is made up for after resuming;
    - weights that are no numbers are not saved: training stops, and the
      checkpoints before stay.

    Other storage (``s3://``, ``backend_args``, ``file_client_args``) keeps
    the stock behaviour but for the last point.

    Raises:
        CheckpointError: The disk does not take a checkpoint; the one that is
            to be resumed is not complete, or none of a folder is.
        TrainingError: Weights are NaN or infinite when they are to be saved.
    """

    # set by before_run and before_train, which a test run may leave out
    _safe = False
    _resumed_from: str | None = None
    _buffers: list | None = None
    saved_iter: int | None = None

    def before_run(self, runner: Runner) -> None:
        """Find the checkpoint that the runner is about to resume."""
        if not self._is_local(runner) or runner._has_loaded:
            return
        if not runner._resume:
            return
        outcome = [None, '', []]
        if is_main_process():
            try:
                outcome = [*self._resume_point(runner), []]
            except CheckpointError as error:
                outcome = [None, '', [str(error)]]
        # the other processes may look at another disk, or look too early
        broadcast_object_list(outcome)
        path, notes, errors = outcome
        if errors:
            raise CheckpointError(errors[0])
        if notes:
            runner.logger.warning(f'SafeCheckpointHook: {notes}.')
        if path is not None:
            runner._load_from = path
        self._resumed_from = path

    def _resume_point(self, runner: Runner) -> tuple[str | None, str]:
        """Path and warnings; what the user named is taken or refused."""
        if runner._load_from is not None:
            path = str(runner._load_from)
            if _is_remote(path):
                return path, ''
            fault = fault_of(path)
            if fault is not None:
                raise CheckpointError(
                    f'cannot resume from {path}: {fault}; give another '
                    'checkpoint, or --resume auto for the newest complete '
                    'one of the work directory'
                )
            return path, ''
        point = find_resume_point(
            runner.work_dir, self._folder(runner), self.filename_tmpl
        )
        if point.path is None:
            return None, ''
        notes = '; '.join(point.notes)
        if notes:
            notes += f'; resuming from {point.path} instead'
        return str(point.path), notes

    def before_train(self, runner: Runner) -> None:
        """Set up as stock; clear what a killed run left behind."""
        self._safe = self._is_local(runner)
        super().before_train(runner)
        if not self._safe:
            return
        self.backend_args = dict(backend='lgd_atomic')
        self.file_backend = _RemoveLater(self.out_dir)
        if is_main_process():
            for folder in {self.out_dir, runner.work_dir}:
                for part in remove_parts(folder):
                    runner.logger.info(f'removed the unfinished {part.name}')
            for name in runner.message_hub.get_info('outdated_ckpts', []):
                (Path(self.out_dir) / Path(name).name).unlink(missing_ok=True)
        self._make_up_validation(runner)

    def _make_up_validation(self, runner: Runner) -> None:
        """Validate if the run was stopped before it had done so."""
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
        last = loop.epoch == loop.max_epochs
        if loop.epoch % loop.val_interval and not last:
            return
        mark = Path(runner.work_dir) / _VALIDATED
        done = [mark.is_file() and mark.read_text() == str(loop.epoch)]
        broadcast_object_list(done)
        if done[0]:
            return
        runner.logger.info(
            f'SafeCheckpointHook: the validation after epoch {loop.epoch} '
            'was not finished and is done now.'
        )
        # neither folder need exist: a URL, a first run with this out_dir
        folder = os.path.dirname(self._resumed_from)
        if os.path.realpath(folder) == os.path.realpath(self.out_dir):
            # saved again, with the score, if it is the best
            self.last_ckpt = self._resumed_from
        runner.val_loop.run()

    def after_train_epoch(self, runner: Runner) -> None:
        """Save as stock; this epoch is not validated yet."""
        if self._safe and is_main_process():
            mark = Path(runner.work_dir) / _VALIDATED
            # left by an earlier training of the same epoch in this folder
            if mark.is_file() and mark.read_text() == str(runner.epoch + 1):
                mark.unlink()
        super().after_train_epoch(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint, then note that validation is done."""
        super().after_val_epoch(runner, metrics)
        if self._safe and is_main_process():
            mark = Path(runner.work_dir) / _VALIDATED
            write_atomic(mark, str(runner.epoch).encode())

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        if self._safe and is_main_process():
            self.file_backend.remove_now(keep=self._best())

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        if not self._safe:
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                name = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
                self.file_backend.remove(Path(self.out_dir, name))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info(
                'keep_ckpt_ids', list(self.keep_ckpt_ids)
            )
        self._write(runner, self.filename_tmpl.format(step), meta)
        if is_main_process():
            Path(self.out_dir, MID_EPOCH_FILE).unlink(missing_ok=True)
            self.file_backend.remove_now(keep=self._best())

    def save_state(
        self, runner: Runner, epoch: int, iteration: int, together: bool = True
    ) -> None:
        """Save where the run stands, in mid_epoch.pth; all ranks call it.

        Args:
            runner: The runner of the training.
            epoch: Full epochs that were trained.
            iteration: Iterations that were trained.
            together: Whether all ranks are at this call at the same step;
                else only rank 0's running statistics can be saved.
        """
        meta = dict(epoch=epoch, iter=iteration)
        self._write(runner, MID_EPOCH_FILE, meta, together)

    def _best(self) -> set[str]:
        """The names of the best checkpoints so far."""
        paths = [getattr(self, 'best_ckpt_path', None)]
        paths += getattr(self, 'best_ckpt_path_dict', {}).values()
        return {Path(path).name for path in paths if path is not None}

    def _write(
        self, runner: Runner, name: str, meta: dict, together: bool = True
    ) -> None:
        """Write a checkpoint, then let ``last_checkpoint`` name it."""
        self.last_ckpt = self.file_backend.join_path(str(self.out_dir), name)
        hub = runner.message_hub
        hub.update_info('last_ckpt', self.last_ckpt)
        if self._safe and is_main_process():
            outdated = self.file_backend.names(self._best())
            hub.update_info('outdated_ckpts', outdated)
        whole_epochs = self.by_epoch and name != MID_EPOCH_FILE
        self._buffers = None
        if not whole_epochs and together and get_world_size() > 1:
            self._buffers = RankBuffers.gather(runner.model)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(meta),
            by_epoch=whole_epochs,
            backend_args=self.backend_args,
            **self.args,
        )
        self._buffers = None
        self.saved_iter = meta['iter']
        if is_main_process():
            pointer = Path(runner.work_dir, 'last_checkpoint')
            AtomicBackend().put_text(self.last_ckpt, pointer)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse weights that are no numbers; add each rank's statistics."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        weights = {name for name, _ in model.named_parameters()}
        bad = [
            name
            for name, value in checkpoint['state_dict'].items()
            if isinstance(value, torch.Tensor)
            and value.is_floating_point()
            # a buffer may mask with -inf
            and not (
                value.isfinite() if name in weights else ~value.isnan()
            ).all()
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
        buffers = checkpoint.get('rank_buffers')
        if buffers is not None and runner._resume:
            RankBuffers.take_own(checkpoint['state_dict'], buffers)

    def _is_local(self, runner: Runner) -> bool:
        if self.file_client_args is not None:
            return False
        if self.backend_args not in (None, {}, dict(backend='lgd_atomic')):
            return False
        return not _is_remote(str(self.out_dir or runner.work_dir))

    def _folder(self, runner: Runner) -> Path:
        """Where checkpoints are, before stock's before_train has set it."""
        return checkpoint_folder(runner.work_dir, self.out_dir)


class _RemoveLater(AtomicBackend):
    """Files that stock would remove before it saves wait until after.

    Args:
        folder: Where they are, whatever the folder was when their path was
            stored: a work directory may have been moved or copied.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._waiting: list[Path] = []

    def isfile(self, filepath: str | Path) -> bool:
        """Whether there is a file of this name."""
        return (self._folder / Path(filepath).name).is_file()

    def isdir(self, filepath: str | Path) -> bool:
        """Deepspeed's folders are not written here."""
        return False

    def remove(self, filepath: str | Path) -> None:
        """Remember a file to remove."""
        self._waiting.append(self._folder / Path(filepath).name)

    def names(self, keep: set[str]) -> list[str]:
        """What waits, as the next checkpoint records it."""
        return [p.name for p in self._waiting if p.name not in keep]

    def remove_now(self, keep: set[str]) -> None:
        """Remove what waits, but for names that were written again."""
        for name in self._waiting:
            if name.name not in keep:
                name.unlink(missing_ok=True)
        self._waiting.clear()


def last_checkpoint_of(runner: Runner) -> str:
    """The checkpoint to resume from, in words."""
    pointer = Path(runner.work_dir, 'last_checkpoint')
    return pointer.read_text() if pointer.is_file() else 'there is none'


def _is_remote(path: str) -> bool:
    return '://' in path or path.startswith(('s3:', 'petrel:'))
