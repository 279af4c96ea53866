"""What an experiment runs: its trainings and tests, and their commands."""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, file_sha256
from lgd_tools.experiment.data import ListedVideos, listed_videos
from lgd_tools.experiment.steps import ROOT, json_sha256

TRAIN_SCRIPT, TEST_SCRIPT = ROOT / 'tools/train.py', ROOT / 'tools/test.py'


# beginnings of names in a config that cannot change the weights
_ASIDE = (
    *('work_dir', 'launcher', 'resume', 'env_cfg', 'log_', 'vis', 'test_'),
    *('val_', 'train_cfg.val_'),
    *('model.test_cfg', 'model.cls_head.average_clips'),
    # the checkpoint hook decides which files are kept, not what is in them
    *('default_hooks.runtime_info', 'default_hooks.timer'),
    *('default_hooks.logger', 'default_hooks.visualization'),
    'default_hooks.checkpoint',
    *('train_dataloader.num_workers', 'train_dataloader.persistent_workers'),
    *('train_dataloader.pin_memory', 'train_dataloader.prefetch_factor'),
)


@dataclass
class Run:
    """One training and its test: one stream on one split."""

    stream: str
    split: int | None  # from 1; None where there is only one
    config: str
    options: list[str]  # `key=value` texts for --cfg-options
    folder: Path  # of its files
    settings: dict[str, Any] = field(repr=False)  # config and options merged

    def __post_init__(self) -> None:
        part = f' split{self.split}' if self.split else ''
        self.title = f'{self.stream}{part}'
        self.scores = self.folder / 'scores.pkl'
        self.train_dir = self.folder / 'train'
        # of the config with everything that it inherits
        self.config_sha256 = json_sha256(self.settings)

    @property
    def train_sha256(self) -> str:
        """Hash of what in the config the weights depend on.

        Other numbers of test views or another test list ask for another
        test, not for another training of days.
        """
        every = _leaves(self.settings, '')
        return json_sha256(
            {k: v for k, v in every if not k.startswith(_ASIDE)}
        )

    @cached_property
    def videos(self) -> dict[str, ListedVideos]:
        """What it reads in each role that the config has."""
        return {
            role: listed_videos(self.settings, role)
            for role in ('train', 'val', 'test')
            if self.settings.get(f'{role}_dataloader')
        }

    @property
    def test_list(self) -> str:
        return self.videos['test'].ann_file

    def checkpoint(self) -> Path | None:
        """The newest complete checkpoint of the training."""
        # the package tells torch what mmengine's checkpoints hold
        from lgd_mmaction.checkpoints import find_resume_point

        hook = self.settings.get('default_hooks', {}).get('checkpoint', {})
        kind = 'epoch' if hook.get('by_epoch', True) else 'iter'
        folder = self.train_dir
        return find_resume_point(folder, folder, f'{kind}_{{}}.pth')[0]


def _leaves(part: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The values of a config by their dotted names."""
    if not isinstance(part, Mapping):
        yield name, part
        return
    for key, value in part.items():
        yield from _leaves(value, f'{name}.{key}' if name else str(key))


def make_run(
    experiment: Path,
    stream: str,
    split: int | None,
    config: str,
    options: Sequence[str],
) -> Run:
    """Read the config of a run of the experiment in this folder."""
    from mmengine.config import Config, DictAction

    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument('--o', nargs='*', action=DictAction, default={})
    try:
        # building is the business of train.py; here only values are read
        cfg = Config.fromfile(config, import_custom_modules=False)
        if options:
            cfg.merge_from_dict(parser.parse_args(['--o', *options]).o)
    # a config is code, and options reach into it: anything can go wrong
    except Exception as error:
        raise ToolError(
            f'cannot read {config} with its options: '
            f'{type(error).__name__}: {error}'
        ) from error
    folder = experiment / stream / (f'split{split}' if split else '')
    return Run(stream, split, config, list(options), folder, cfg.to_dict())


def train_inputs(run: Run, args: argparse.Namespace) -> dict[str, Any]:
    """What decides the outcome of a training, as hashes."""
    backbone = run.settings['model'].get('backbone', {})
    inputs = {
        'config': run.train_sha256,
        'seed': args.seed,
        'amp': args.amp,
        'list': file_sha256(run.videos['train'].ann_file),
    }
    for name, source in (
        ('load_from', run.settings.get('load_from')),
        ('pretrained', backbone.get('pretrained')),
    ):
        if source and '://' in source:
            inputs[name] = source
        elif source and os.path.isfile(source):
            inputs[name] = file_sha256(source)
        elif source:
            raise ToolError(
                f'{run.title}: {name} of {run.config} is {source}, which is '
                'not there; train that network first, or set it with '
                f'--stream-options {run.stream} {name}=... (None: from '
                'scratch)'
            )
    return inputs


def train_command(run: Run, args: argparse.Namespace) -> list[str]:
    """The command that begins, or goes on with, a training."""
    words = [run.config, '--work-dir', run.train_dir, '--seed', args.seed]
    words += ['--amp'] * args.amp
    resume = run.checkpoint()
    if resume is not None:
        # by path: --resume auto would resume *from* a load_from option
        words += ['--resume', resume]
    return _command(run, args.gpus, TRAIN_SCRIPT, words, resume is None)


def test_command(
    run: Run, gpus: int, checkpoint: str | Path, dump: Path
) -> list[str]:
    """The command that tests a checkpoint and dumps the scores."""
    words = [run.config, checkpoint, '--work-dir', run.folder / 'test']
    return _command(run, gpus, TEST_SCRIPT, [*words, '--dump', dump])


def _command(
    run: Run, gpus: int, script: Path, words: list, load: bool = False
) -> list[str]:
    shown = os.path.relpath(script)
    command = [sys.executable]
    if gpus > 1:
        command += ['-m', 'torch.distributed.run', '--standalone']
        command += [f'--nproc_per_node={gpus}']
        words = [*words, '--launcher', 'pytorch']
    command += [str(script) if shown.startswith('..') else shown]
    options = [o for o in run.options if load or o[:10] != 'load_from=']
    if options:
        words = [*words, '--cfg-options', *options]
    return [*command, *map(str, words)]
