"""Run an example step by step: each is printed, and kept where it is done.

Everything of an example lies in one folder. Given again, the same command
goes on where it was interrupted.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lgd_mmaction.files import remove
from lgd_tools.cli import (
    ToolError,
    default_workers,
    make_parser,
    non_negative_int,
    write_json,
)

# of a checkout: this file is tools/lgd_tools/example.py
ROOT = Path(__file__).resolve().parents[2]
# of the log of a training: progress, and what it is about
_TELLING = re.compile(r'Epoch\(.*(acc|loss|mAP)|TwoStageHook:|resumed epoch')
_NOISE = re.compile(
    r'^.* - INFO - | (base_lr|lr|eta|time|data_time|memory|grad_norm): '
    r'[^ ]+( hours| days?,[^ ]*)?'
)


@dataclass
class Step:
    """A command of tools/, what follows `python`, with what it is for.

    It is split at blanks: :func:`claim` refuses folders that have any. With a
    key the output goes to KEY.log, only the telling lines are shown, and once
    done it is not done again.
    """

    title: str
    command: str
    key: str = ''


def run_steps(
    steps: Iterable[Step], out: Path, env: Mapping[str, object]
) -> None:
    """Run the steps in order; a generator may look at earlier results.

    Logs, and the marks of what is done, go to ``out``; ``env`` holds
    variables that the commands read.
    """
    by_hand = ''.join(f'{name}={value} ' for name, value in env.items())
    # one core is left to the process that decodes; more threads than this
    # do not help with pictures this small
    threads = min(max(default_workers() - 1, 1), 4)
    paths = [str(ROOT), str(ROOT / 'tools'), os.environ.get('PYTHONPATH')]
    env = {
        'OMP_NUM_THREADS': str(threads),
        'OMP_WAIT_POLICY': 'PASSIVE',
        **os.environ,
        **{name: str(value) for name, value in env.items()},
        'PYTHONPATH': os.pathsep.join(filter(None, paths)),
        'PYTHONUNBUFFERED': '1',
        'PYTHONWARNINGS': 'ignore',
        'MPLBACKEND': 'Agg',
    }
    for step in steps:
        words = step.command.split()
        print(f'\n== {step.title}')
        print(f'   $ {by_hand}python {shlex.join(words)}', flush=True)
        done = out / f'{step.key}.done'
        if step.key and done.exists():
            print('   done in an earlier run: kept')
            continue
        _run(words, env, out / f'{step.key}.log' if step.key else None)
        if step.key:
            done.touch()


def _run(words: list[str], env: dict[str, str], log: Path | None) -> None:
    lines: list[str] = []
    with (
        open(log or os.devnull, 'a', encoding='utf-8') as sink,
        subprocess.Popen(
            [sys.executable, *words], env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors='replace',
        ) as process,
    ):  # fmt: skip
        for line in process.stdout:
            sink.write(line)
            lines.append(line.rstrip('\n'))
            if log is None or _TELLING.search(line):
                text = _NOISE.sub('', lines[-1])
                print(f'   {re.sub("  +", "  ", text)}', flush=True)
    if process.returncode:
        errors = [line[7:] for line in lines if line.startswith('error: ')]
        tail = '\n'.join(lines[-20:])
        reason = errors[-1] if errors else f'its last lines:\n{tail}'
        more = f' (all that was said: {log})' if log else ''
        raise ToolError(f'{words[0]} stopped: {reason}{more}')


def last_checkpoint(work_dir: Path) -> Path:
    """The newest complete checkpoint of a training."""
    # the package tells torch what mmengine's checkpoints hold
    from lgd_mmaction.checkpoints import find_resume_point

    path = find_resume_point(work_dir, work_dir, 'epoch_{}.pth')[0]
    if path is None:
        raise ToolError(f'no checkpoint in {work_dir}; start with --fresh')
    return path


def parser(doc: str, example: str) -> argparse.ArgumentParser:
    """A parser with what both examples take."""
    made = make_parser(doc, example)
    add = made.add_argument
    # fmt: off
    # what is given is relative to here, and the commands to the repository
    add('--out', type=lambda text: Path(text).absolute(), metavar='DIR',
        help='folder for everything')
    add('--seed', type=non_negative_int, default=0, metavar='N',
        help='of the videos and of the training (default: 0)')
    add('--fresh', action='store_true',
        help='throw away an earlier result in the same place')
    add('--smoke', action='store_true', help='a few frames, an epoch or two, '
        'to see that everything runs; learns nothing')
    # fmt: on
    return made


def claim(
    out: Path, settings: dict[str, Any], fresh: bool, made: Iterable[Path]
) -> None:
    """Refuse a folder of other settings or files, so that nothing is mixed.

    With ``fresh`` earlier results, ``made``, are removed.
    """
    mine = out / 'settings.json'
    if re.search(r'\s', str(out)):  # a list of videos takes none
        raise ToolError(
            f'the folder {out} has a blank in its name, which MMAction2 '
            'cannot read; choose another with --out'
        )
    if fresh and mine.exists():
        print(f'Throwing away the earlier result in {out}')
        for path in (*made, *out.glob('*.done'), *out.glob('*.log'), mine):
            remove(path)
    if mine.exists():
        there = json.loads(mine.read_text())
        if there != settings:
            raise ToolError(
                f'{out} was made with other settings ({there}); start over '
                'with --fresh, or choose another folder with --out'
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ToolError(
            f'{out} is a file or holds other files; choose an empty or a new '
            'folder with --out'
        )
    write_json(mine, settings)
