"""What a run says on the console; its log file has everything.

The stock runner prints its environment, its whole config and its hooks, some
500 lines before the first step. Here such messages are one line each on the
console, and a summary says what a person would look for in them.
"""

import contextlib
import functools
import logging
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from lgd_mmaction.engine.checkpoint_hook import model_of
from lgd_mmaction.engine.two_stage_hook import TwoStageHook

# of other packages, known and harmless: silenced by name, on the console only
_SILENCED = (
    'paramwise_options --',
    'Hooks will be executed in the following order',
    '"FileClient" will be deprecated in future',
    '"HardDiskBackend" is the alias of "LocalBackend"',
)
_PACKAGES = ('lgd_mmaction', 'torch', 'mmaction2', 'mmengine')


@functools.cache  # once in a process
def shorten_console() -> None:
    """Let every runner of this process be brief on the console."""
    build, register = Runner.build_logger, Runner.register_hooks

    def build_logger(self: Runner, *args: Any, **kwargs: Any) -> Any:
        logger = build(self, *args, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(is_shown)
                handler.setFormatter(BriefFormatter(handler.formatter))
        return logger

    def register_hooks(self: Runner, *args: Any, **kwargs: Any) -> None:
        register(self, *args, **kwargs)
        self.register_hook(SummaryHook(), priority='VERY_HIGH')

    Runner.build_logger, Runner.register_hooks = build_logger, register_hooks


def is_shown(record: logging.LogRecord) -> bool:
    """Whether the console shows a message at all."""
    text = record.getMessage()
    return not any(text.lstrip().startswith(name) for name in _SILENCED)


class BriefFormatter(logging.Formatter):
    """The first line of what would be more than eight."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner

    def format(self, record: logging.LogRecord) -> str:
        text = self.inner.format(record)
        lines = [s for s in text.splitlines() if s.strip('- ')]
        if len(lines) <= 8 or record.levelno > logging.WARNING:
            return text
        # the first may be nothing but the time
        head = lines[0] if not lines[0].endswith('INFO - ') else ''
        head = head or f'{lines[0]}{lines[1].strip()}'
        return f'{head[:160]} ... {len(lines)} lines in the log file'


class SummaryHook(Hook):
    """Says what is going to be trained, then what a clip costs."""

    _counted = False

    def before_train(self, runner: Runner) -> None:
        for line in summary(runner):
            runner.logger.info(line)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        if self._counted:
            return
        self._counted = True  # the first batch tells the size of the input
        # data of another kind, or layers that cannot be counted
        with contextlib.suppress(Exception):
            shape = data_batch['inputs'][0].shape  # (clips, C, T, H, W)
            cost = count_gmac(model_of(runner), shape)
            size = 'x'.join(map(str, shape[1:]))
            runner.logger.info(f'work: {cost:.3g} GMAC for a clip of {size}')


def count_gmac(model: torch.nn.Module, shape: Sequence[int]) -> float:
    """Multiply-adds of a whole recognizer, 1e9, without computing anything.

    Args:
        model: Backbone, neck and head.
        shape: (clips, C, T, H, W) of a video.
    """
    training = [module for module in model.modules() if module.training]
    device = next(model.parameters()).device
    model.eval()
    try:
        with (
            torch.no_grad(),
            FakeTensorMode(allow_non_fake_inputs=True),
            FlopCounterMode(display=False) as counter,
        ):
            video = torch.empty(1, *shape, device=device)
            model(video, mode='tensor', stage='head')
    finally:
        for module in training:
            module.training = True
    return counter.get_total_flops() / 2e9 / shape[0]


def summary(runner: Runner) -> list[str]:
    """A line each: versions, model, data, schedule, log file."""
    versions = []
    for name in (*_PACKAGES, 'mmcv', 'mmcv-lite'):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions.append(f'{name} {metadata.version(name)}')
    model = model_of(runner)
    device = next(model.parameters()).device
    cuda = device.type == 'cuda'
    where = torch.cuda.get_device_name(device) if cuda else device.type
    parts = [type(model).__name__]
    for name in ('backbone', 'neck', 'cls_head', 'roi_head'):
        part = getattr(model, name, None)
        if part is not None:
            depth = f'-{part.depth}' if hasattr(part, 'depth') else ''
            parts.append(f'{type(part).__name__}{depth}')
    count = sum(p.numel() for p in model.parameters())
    fixed = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    loader, loop = runner.train_dataloader, runner.train_loop
    data = (
        f'{len(loader.dataset)} training samples, {len(loader)} steps an '
        f'epoch, {loader.batch_size} samples a step and device'
    )
    if runner.val_loop is not None:
        data += f'; {len(runner.val_loop.dataloader.dataset)} for validation'
    rates = runner.optim_wrapper.optimizer.param_groups
    start = {g.get('initial_lr', g['lr']) for g in rates}
    stages = ''.join(
        f': stage 1, loss (5), for {hook.switch_epoch}, then stage 2, loss '
        f'(6), from epoch {hook.switch_epoch + 1}'
        for hook in runner.hooks
        if isinstance(hook, TwoStageHook)
    )
    return [
        f'versions: {", ".join(versions)}; on {runner.world_size} x {where}',
        f'model: {" + ".join(parts)}, {count / 1e6:.2f} M parameters'
        f'{f" ({fixed / 1e6:.2f} M fixed)" if fixed else ""}',
        f'data: {data}',
        f'schedule: {loop.max_epochs} epochs, {loop.max_iters} steps'
        f'{stages}; {type(runner.optim_wrapper.optimizer).__name__},'
        f' learning rate {", ".join(f"{lr:g}" for lr in sorted(start))}',
        f'everything is in {runner._log_dir}/{runner.timestamp}.log',
    ]
