"""Stopping before a loss that is no number spoils the weights."""

import math
from itertools import islice
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, all_reduce, get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor, nn

from lgd_mmaction.engine.safe_checkpoint_hook import last_checkpoint_of
from lgd_mmaction.errors import TrainingError

# where a data sample or an annotation keeps the name of its file
_NAMES = ('filename', 'frame_dir', 'img_path', 'video_id', 'img_key')


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Ends training at a NaN or infinite loss, before the weights take it.

    The losses are looked at between the forward and the backward pass. If
    one is no number on any rank, all ranks stop with one sentence: the step,
    the learning rate, the losses, and the files of the batches concerned.
    Nothing is saved, so the last checkpoint is a good one.

    Gradients are looked at after the step, through the norm that clipping
    computes anyway (``optim_wrapper.clip_grad``): infinite ones with a finite
    loss have spoilt the weights in memory, and training stops as above. With
    a loss scale (fp16) they are no error: the scaler leaves the step out and
    halves the scale. It is one when the scale falls below ``min_scale``, or
    when ``max_skipped`` steps in a row are left out. A loss that is no
    number is an error under fp16 too: the scale acts on the gradients only,
    so a smaller one would not mend it.

    Cost: a step waits for the forward pass (one host synchronisation; the
    stock accuracy of a head waits for it as well), and several processes
    all-reduce one number.

    Args:
        min_scale: The smallest loss scale to go on with.
        max_skipped: Steps in a row that the scaler may leave out.

    Raises:
        TrainingError: From the train loop, on all ranks.
    """

    priority = 'ABOVE_NORMAL'  # before anything is logged or saved

    def __init__(self, min_scale: float = 1.0, max_skipped: int = 100) -> None:
        self.min_scale = min_scale
        self.max_skipped = max_skipped
        self._skipped = 0
        self._batch: tuple[int, Any] = (0, None)
        self._handle: Any = None

    def before_train(self, runner: Runner) -> None:
        """Look at what the network returns from now on."""

        def look(model: nn.Module, args: tuple, output: Any) -> None:
            if model.training and isinstance(output, dict):
                self._check(runner, output)

        self._handle = runner.model.register_forward_hook(look)

    def after_train(self, runner: Runner) -> None:
        """Stop looking."""
        self._handle.remove()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Keep the batch, to name its files."""
        self._batch = (batch_idx, data_batch)

    def _check(self, runner: Runner, output: dict) -> None:
        losses = {
            f'{key}{i or ""}': value.detach().float().mean()
            for key, values in output.items()
            # as BaseModel.parse_losses tells losses from other numbers
            if 'loss' in key
            for i, value in enumerate(
                values if isinstance(values, list | tuple) else [values]
            )
            if isinstance(value, Tensor)
        }
        if not losses:
            return
        bad = (~torch.stack(list(losses.values())).isfinite()).any().float()
        all_reduce(bad, 'max')
        if bad.item():
            self._stop_at_loss(
                runner, {key: value.item() for key, value in losses.items()}
            )

    def _stop_at_loss(self, runner: Runner, losses: dict[str, float]) -> None:
        own = None
        if not all(map(math.isfinite, losses.values())):
            shown = ', '.join(f'{k} {v:g}' for k, v in losses.items())
            files = ', '.join(self._files(runner)) or 'of unknown name'
            own = f'rank {get_rank()}: {shown}; files: {files}'
        ranks = [text for text in all_gather_object(own) if text]
        raise TrainingError(
            f'the loss is not finite at {_where(runner)} '
            f'({"; ".join(ranks)}); the weights did not take this step and '
            f'nothing was saved; {_remedy(runner)}'
        )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Look at the norm of the gradients and at the loss scale."""
        self._batch = (0, None)
        wrapper = runner.optim_wrapper
        scalars = runner.message_hub.log_scalars
        # the same on all ranks: they all stop
        key = f'train/{getattr(wrapper, "grad_name", None)}'
        norm = scalars[key].current() if key in scalars else None
        finite = norm is None or math.isfinite(norm)
        scaler = getattr(wrapper, 'loss_scaler', None)
        self._skipped = 0 if finite else self._skipped + 1
        if scaler is None:
            if not finite:
                raise TrainingError(
                    f'the gradients are not finite (norm {norm:g}) at '
                    f'{_where(runner)}, though the loss is; the step has '
                    'spoilt the weights in memory and nothing was saved; '
                    f'{_remedy(runner)}'
                )
        # without a norm, now and then: reading the scale waits for the GPU
        elif not finite or (norm is None and runner.iter % 50 == 0):
            scale = scaler.get_scale()
            if scale < self.min_scale or self._skipped > self.max_skipped:
                raise TrainingError(
                    f'fp16 does not hold the gradients: the loss scale is '
                    f'{scale:g} and {self._skipped} steps in a row were left '
                    f'out at {_where(runner)}; {_remedy(runner)}, or train '
                    "with optim_wrapper.dtype='bfloat16'"
                )

    def _files(self, runner: Runner) -> list[str]:
        """The files of this rank's batch."""
        batch_idx, batch = self._batch
        samples = batch.get('data_samples') if isinstance(batch, dict) else []
        metas = [getattr(s, 'metainfo', {}) for s in samples or []]
        names = [_name_of(meta) for meta in metas]
        if names and all(names):
            return names
        # the pipeline packed no names: ask the sampler which clips they were
        loader = runner.train_dataloader
        sampler = loader.batch_sampler
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return []
        whole = getattr(sampler, 'whole', sampler)
        indices = next(islice(iter(whole), batch_idx, None), [])
        get = getattr(loader.dataset, 'get_data_info', None)
        return [(get and _name_of(get(i))) or f'sample {i}' for i in indices]


def _name_of(info: dict) -> str | None:
    return next((str(info[key]) for key in _NAMES if info.get(key)), None)


def _where(runner: Runner) -> str:
    rates = [f'{v[0]:g}' for v in runner.optim_wrapper.get_lr().values()]
    return (
        f'iteration {runner.iter + 1} (epoch {runner.epoch + 1}), learning '
        f'rate {", ".join(rates[:1])}'
    )


def _remedy(runner: Runner) -> str:
    return (
        'lower the learning rate or look at these files, then resume from '
        f'the last checkpoint ({last_checkpoint_of(runner)})'
    )
