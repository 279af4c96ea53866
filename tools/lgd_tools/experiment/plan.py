"""What an experiment runs: its trainings and tests, and their commands."""

import argparse
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, file_sha256
from lgd_tools.experiment.data_check import ROLES, dataset_of, list_of
from lgd_tools.experiment.steps import json_sha256
from lgd_tools.experiment.train_view import train_view, validation_decides

_TOOLS = Path(__file__).resolve().parents[2]
TRAIN_SCRIPT, TEST_SCRIPT = _TOOLS / 'train.py', _TOOLS / 'test.py'
# decided by the runner for each run, so no part of what a config says
_NOT_HASHED = ('work_dir', 'launcher', 'resume')
_NAMES = ('img_shape', 'filename', 'frame_dir')


@dataclass
class Run:
    """One training and its test: one stream on one split.

    Attributes:
        stream: Name of the stream ('rgb', 'flow').
        split: 1-based number of the split.
        config: Path of the config.
        options: `key=value` texts for --cfg-options.
        folder: Where its files go.
        key: Name of its steps in file names.
        title: Name of its steps for people.
        settings: The config with the options merged, as plain data.
    """

    stream: str
    split: int
    config: str
    options: list[str]
    folder: Path
    key: str
    title: str
    settings: dict[str, Any] = field(repr=False)

    @property
    def scores(self) -> Path:
        """The score file of the test."""
        return self.folder / 'scores.pkl'

    @property
    def train_dir(self) -> Path:
        """The work directory of the training."""
        return self.folder / 'train'

    @property
    def config_sha256(self) -> str:
        """Hash of the config with everything that it inherits."""
        kept = {k: v for k, v in self.settings.items() if k not in _NOT_HASHED}
        return json_sha256(kept)

    @property
    def train_sha256(self) -> str:
        """Hash of what the training depends on in the config."""
        return json_sha256(train_view(self.settings))

    @property
    def classes(self) -> int | None:
        """Number of classes of the network."""
        head = self.settings.get('model', {}).get('cls_head') or {}
        return head.get('num_classes')

    def lists(self) -> dict[str, str]:
        """Annotation list of each role that the config has."""
        return {
            role: list_of(dataset_of(self.settings, role))
            for role in ROLES
            if self.settings.get(f'{role}_dataloader')
        }


def make_run(
    experiment: Path,
    stream: str,
    split: int | None,
    config: str,
    options: Sequence[str],
) -> Run:
    """Reads the config of a run.

    Args:
        experiment: Folder of the experiment.
        stream: Name of the stream.
        split: 1-based number, or None where there is only one.
        config: Path of the config.
        options: `key=value` texts, as for --cfg-options.

    Raises:
        ToolError: The config cannot be read.
    """
    from mmengine.config import Config, DictAction

    if not os.path.isfile(config):
        raise ToolError(f'there is no config {config}; check the path')
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
    part = '' if split is None else f'split{split}'
    return Run(
        stream=stream,
        split=split or 1,
        config=config,
        options=list(options),
        folder=experiment / stream / part,
        key=stream if split is None else f'{stream}_{part}',
        title=stream if split is None else f'{stream} split {split}',
        settings=cfg.to_dict(),
    )


def train_inputs(run: Run, seed: int, amp: bool) -> dict[str, Any]:
    """What decides the outcome of a training, as hashes.

    Raises:
        ToolError: A checkpoint that the training starts from is missing.
    """
    start = {}
    backbone = run.settings.get('model', {}).get('backbone') or {}
    for name, source in (
        ('load_from', run.settings.get('load_from')),
        ('pretrained', backbone.get('pretrained')),
    ):
        if isinstance(source, str) and source:
            start[name] = _source_hash(run, name, source)
    lists = run.lists()
    roles = ['train', *['val'] * validation_decides(run.settings)]
    return {
        'config': run.train_sha256,
        'seed': seed,
        'amp': amp,
        'lists': {r: file_sha256(lists[r]) for r in roles if r in lists},
        **start,
    }


def _source_hash(run: Run, name: str, source: str) -> str:
    if '://' in source:
        return source
    if not os.path.isfile(source):
        raise ToolError(
            f'{run.title}: {name} of {run.config} is {source}, which is not '
            'there; train that network first, or set it with '
            f'--stream-options {run.stream} {name}=... (None: from scratch)'
        )
    return file_sha256(source)


def newest_checkpoint(folder: Path) -> Path | None:
    """The last complete checkpoint of a work directory, or None."""
    candidates: list[Path] = []
    try:
        text = (folder / 'last_checkpoint').read_text().strip()
    except OSError:
        text = ''
    if text:
        # by its name: the folder may have been moved since
        candidates = [folder / Path(text).name]
    found = [*folder.glob('epoch_*.pth'), *folder.glob('iter_*.pth')]
    candidates += sorted(found, key=lambda p: -p.stat().st_mtime)
    # the directory of a zip is at its end: a file cut short has none
    return next((p for p in candidates if zipfile.is_zipfile(p)), None)


def launch(script: Path, gpus: int) -> list[str]:
    """The beginning of a command: one process, or one for each GPU."""
    shown = os.path.relpath(script)
    shown = str(script) if shown.startswith('..') else shown
    if gpus == 1:
        return [sys.executable, shown]
    return [
        *(sys.executable, '-m', 'torch.distributed.run', '--standalone'),
        *(f'--nproc_per_node={gpus}', shown),
    ]


def train_command(
    run: Run, script: Path, gpus: int, seed: int, amp: bool
) -> list[str]:
    """The command that begins, or goes on with, a training."""
    resume = newest_checkpoint(run.train_dir)
    options = list(run.options)
    command = [*launch(script, gpus), run.config]
    command += ['--work-dir', str(run.train_dir), '--seed', str(seed)]
    if amp:
        command.append('--amp')
    if resume is not None:
        # By path: the stock --resume (auto) would forget load_from where
        # nothing was saved yet, and resume *from* a load_from option.
        command += ['--resume', str(resume)]
        options = [o for o in options if not o.startswith('load_from=')]
    return command + _tail(options, gpus)


def test_command(
    run: Run, script: Path, gpus: int, checkpoint: Path, dump: Path
) -> list[str]:
    """The command that tests a checkpoint and dumps the scores."""
    command = [*launch(script, gpus), run.config, str(checkpoint)]
    command += ['--work-dir', str(run.folder / 'test'), '--dump', str(dump)]
    options = [o for o in run.options if not o.startswith('load_from=')]
    return command + _tail([*options, *_name_options(run.settings)], gpus)


def _tail(options: Sequence[str], gpus: int) -> list[str]:
    tail = ['--launcher', 'pytorch'] if gpus > 1 else []
    return tail + (['--cfg-options', *options] if options else [])


def _name_options(settings: Mapping[str, Any]) -> list[str]:
    """Makes the dump hold the names of the videos, if it would not."""
    dataset = settings['test_dataloader']['dataset']
    for i, step in enumerate(dataset.get('pipeline') or ()):
        if step.get('type') != 'PackActionInputs':
            continue
        keys = step.get('meta_keys') or ()
        if not {'filename', 'frame_dir'} & set(keys):
            names = ','.join(dict.fromkeys([*keys, *_NAMES]))
            return [
                f'test_dataloader.dataset.pipeline.{i}.meta_keys=[{names}]'
            ]
    return []
