"""Stop before a NaN or infinite loss spoils the weights."""

import math
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, all_reduce, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from lgd_mmaction.engine.checkpoint_hook import last_checkpoint_of
from lgd_mmaction.errors import TrainingError


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Ends training at a NaN or infinite loss, before the weights take it.

    The losses are looked at between the forward and the backward pass. If
    one is not finite on any rank, all ranks stop: the error names the step,
    the learning rate, and the losses of the ranks concerned. Nothing is
    saved, so the last checkpoint is a good one.

    Gradients are looked at after the step, through the norm that clipping
    computes anyway (``optim_wrapper.clip_grad``): infinite ones with a finite
    loss have spoilt the weights in memory, and training stops as above. With
    a loss scale (fp16) the scaler leaves the step out and halves the scale,
    which is no error until the scale falls below 1.

    Cost: a step waits for the forward pass (one host synchronisation), and
    several processes all-reduce one number.

    Raises:
        TrainingError: From the train loop, on all ranks.
    """

    priority = 'ABOVE_NORMAL'  # before anything is logged or saved

    def before_train(self, runner: Runner) -> None:
        def look(model: nn.Module, args: tuple, output: Any) -> None:
            if model.training and isinstance(output, dict):
                self._check(runner, output)

        self._handle = runner.model.register_forward_hook(look)

    def after_train(self, runner: Runner) -> None:
        self._handle.remove()

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
        own_bad = ~torch.stack(list(losses.values())).isfinite().all()
        bad = own_bad.float()
        all_reduce(bad, 'max')
        if not bad.item():
            return
        shown = ', '.join(f'{k} {v.item():g}' for k, v in losses.items())
        own = f'rank {get_rank()}: {shown}' if own_bad else None
        ranks = [text for text in all_gather_object(own) if text]
        raise TrainingError(
            f'the loss is not finite at {_where(runner)} '
            f'({"; ".join(ranks)}); the weights did not take this step and '
            f'nothing was saved; {_remedy(runner)}'
        )

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Look at the norm of the gradients and at the loss scale."""
        wrapper = runner.optim_wrapper
        scalars = runner.message_hub.log_scalars
        # the same on all ranks: they all stop
        key = f'train/{getattr(wrapper, "grad_name", None)}'
        norm = scalars[key].current() if key in scalars else 0.0
        finite = math.isfinite(norm)
        scaler = getattr(wrapper, 'loss_scaler', None)
        if scaler is None:
            if finite:
                return
            raise TrainingError(
                f'the gradients are not finite (norm {norm:g}) at '
                f'{_where(runner)}, though the loss is; the step has spoilt '
                'the weights in memory and nothing was saved; '
                f'{_remedy(runner)}'
            )
        # without a norm, now and then: reading the scale waits for the GPU
        if not finite or (key not in scalars and runner.iter % 50 == 0):
            scale = scaler.get_scale()
            if scale < 1:
                raise TrainingError(
                    f'fp16 does not hold the gradients: the loss scale is '
                    f'{scale:g} at {_where(runner)}; {_remedy(runner)}, or '
                    "train with optim_wrapper.dtype='bfloat16'"
                )


def _where(runner: Runner) -> str:
    rate, *_ = next(iter(runner.optim_wrapper.get_lr().values()))
    return (
        f'iteration {runner.iter + 1} (epoch {runner.epoch + 1}), learning '
        f'rate {rate:g}'
    )


def _remedy(runner: Runner) -> str:
    return (
        'lower the learning rate or look at the data, then resume from the '
        f'last checkpoint ({last_checkpoint_of(runner)})'
    )
