"""A training small enough for tests: random tensors, a tiny LGD network.

Tests import it, name it in a config's ``custom_imports``, or run it as a
program in a process that they kill:

    python tests/engine/tiny_run.py CONFIG [--resume]
"""

import itertools
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.registry import DATASETS, HOOKS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

import lgd_mmaction  # noqa: F401

NUM_CLASSES = 3
_RUNS = itertools.count()


@DATASETS.register_module(force=True)
class TinyVideos(torch.utils.data.Dataset):
    """Clips of noise whose brightness tells the class.

    Args:
        length: Number of clips.
        augment: Add noise from numpy's and torch's global generators, as
            random crops and flips do.
    """

    metainfo = {'classes': tuple('abc')}

    def __init__(self, length: int = 8, augment: bool = False) -> None:
        self.length = length
        self.augment = augment

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        rng = torch.Generator().manual_seed(index)
        label = index % NUM_CLASSES
        clip = torch.randn(1, 3, 2, 32, 32, generator=rng) + label - 1
        if self.augment:
            clip = clip * np.random.uniform(0.5, 1.5) + torch.randn(())
        return {
            'inputs': clip,
            'data_samples': ActionDataSample().set_gt_label(label),
        }


@HOOKS.register_module(force=True)
class KillHook(Hook):
    """SIGKILL to its own process before a given iteration of training."""

    def __init__(self, at_iter: int) -> None:
        self.at_iter = at_iter

    def before_train_iter(self, runner: Runner, **kwargs: object) -> None:
        if runner.iter == self.at_iter:
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module(force=True)
class SlowHook(Hook):
    """Lets every iteration last, so that a signal finds it running."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def before_train_iter(self, runner: Runner, **kwargs: object) -> None:
        time.sleep(self.seconds)


@HOOKS.register_module(force=True)
class RecordHook(Hook):
    """Writes the gradients of every step and the stage it was in."""

    def before_train(self, runner: Runner) -> None:
        model = getattr(runner.model, 'module', runner.model)
        self.steps = []

        def record(*_: object) -> None:
            grads = {
                name: p.grad.clone()
                for name, p in model.named_parameters()
                if p.grad is not None
            }
            stage = model.cls_head.active_stage
            self.steps.append({'stage': stage, 'grads': grads})

        runner.optim_wrapper.optimizer.register_step_pre_hook(record)

    def after_train(self, runner: Runner) -> None:
        path = Path(runner.work_dir) / f'steps_{runner.rank}.pth'
        torch.save(self.steps, path)


def tiny_config(
    work_dir: Path,
    switch_epoch: int | None = 2,
    max_epochs: int = 4,
    dropout_ratio: float = 0.0,
    augment: bool = False,
    num_workers: int = 0,
    shuffle: bool = True,
    norm_eval: bool = False,
    hooks: tuple[dict, ...] = (),
    length: int = 8,
    validate: bool = False,
    safe: bool = False,
) -> Config:
    """8 clips in batches of 4: two iterations an epoch.

    With ``validate`` every epoch is validated and the best checkpoint kept;
    ``safe`` takes the hooks of configs/_base_/default_runtime.py that make
    resuming exact, and keeps two checkpoints.
    """
    if switch_epoch is not None:
        hooks = (dict(type='TwoStageHook', switch_epoch=switch_epoch), *hooks)
    loader = dict(
        batch_size=4,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        dataset=dict(type='TinyVideos', length=length, augment=augment),
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
    )
    checkpoint = dict(type='CheckpointHook', interval=1)
    extra = {}
    if validate:
        checkpoint['save_best'] = 'auto'
        extra = dict(
            val_dataloader=dict(
                batch_size=2,
                num_workers=0,
                dataset=dict(type='TinyVideos', length=6),
                sampler=dict(type='DefaultSampler', shuffle=False),
            ),
            val_cfg=dict(type='ValLoop'),
            val_evaluator=dict(type='AccMetric'),
        )
    default_hooks = dict(
        checkpoint=checkpoint, logger=dict(type='LoggerHook', interval=1)
    )
    if safe:
        checkpoint.update(type='SafeCheckpointHook', max_keep_ckpts=2)
        default_hooks.update(
            sync_buffers=dict(type='SyncBuffersHook'),
            epoch_seed=dict(type='EpochSeedHook'),
            preemption=dict(type='PreemptionHook'),
            finite_loss=dict(type='FiniteLossHook'),
        )
    return Config(
        dict(
            **extra,
            custom_imports=dict(imports=['lgd_mmaction', 'tiny_run']),
            default_scope='mmaction',
            work_dir=str(work_dir),
            find_unused_parameters=True,
            randomness=dict(seed=1),
            env_cfg=dict(dist_cfg=dict(backend='gloo')),
            model=dict(
                type='Recognizer3D',
                data_preprocessor=dict(
                    type='ActionDataPreprocessor', format_shape='NCTHW'
                ),
                backbone=dict(
                    type='LGDResNet3d',
                    depth=18,
                    base_channels=4,
                    pretrained=None,
                    pretrained2d=False,
                    conv1_kernel=(1, 7, 7),
                    inflate=(0, 0, 0, 0),
                    with_pool2=False,
                    zero_init_residual=False,
                    norm_eval=norm_eval,
                ),
                cls_head=dict(
                    type='KernelizedHead',
                    num_classes=NUM_CLASSES,
                    in_channels=32,
                    sketch_dim=64,
                    dropout_ratio=dropout_ratio,
                    topk=(1,),
                ),
            ),
            train_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
            optim_wrapper=dict(
                optimizer=dict(
                    type='SGD', lr=0.02, momentum=0.9, weight_decay=1e-3
                )
            ),
            param_scheduler=[
                dict(type='MultiStepLR', milestones=[1, 3], gamma=0.5)
            ],
            default_hooks=default_hooks,
            custom_hooks=list(hooks),
            log_level='WARNING',
        )
    )


def train(cfg: Config, resume: bool = False) -> Runner:
    """Train under a new name: mmengine keeps one log per name."""
    cfg = Config(cfg.to_dict())
    cfg.resume = resume
    cfg.experiment_name = f'tiny_{os.getpid()}_{next(_RUNS)}'
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def checkpoint(work_dir: Path, epoch: int) -> dict:
    """What was written after so many epochs."""
    return torch.load(work_dir / f'epoch_{epoch}.pth', map_location='cpu')


def same(a: object, b: object) -> bool:
    """Whether two nested containers are equal, bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def program(
    config: Path, *options: str, python: str = sys.executable
) -> dict[str, Any]:
    """Arguments of a ``subprocess`` that runs this file as a program."""
    here = Path(__file__).resolve()
    paths = [str(here.parents[2]), str(here.parent)]
    paths += filter(None, [os.environ.get('PYTHONPATH')])
    return dict(
        args=[python, '-W', 'ignore', str(here), str(config), *options],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
    )


if __name__ == '__main__':
    torch.set_num_threads(1)
    # the name in custom_imports is this module, not a second copy
    sys.modules['tiny_run'] = sys.modules['__main__']
    train(Config.fromfile(sys.argv[1]), '--resume' in sys.argv[2:])
