"""The steps of an experiment: check, train, test, fuse, write."""

import argparse
import contextlib
import json
import platform
import shlex
import subprocess
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, file_sha256, write_json, write_text
from lgd_tools.experiment import plan, steps
from lgd_tools.experiment.data import check_overlap, check_streams
from lgd_tools.experiment.steps import run_command
from lgd_tools.results.fuse_streams import (
    format_report,
    fuse_files,
    pooled_interval,
)
from lgd_tools.results.scores import load_scores
from lgd_tools.results.summarise_splits import format_table, summarise


class Experiment:
    """The steps of one row, in order, each skipped where it is done.

    `lock` is the descriptor of the folder's lock, for the children.
    """

    def __init__(
        self, args: argparse.Namespace, runs: Sequence[plan.Run], lock: int
    ) -> None:
        self.args, self.runs, self.lock = args, runs, lock
        # the runs of each split, by the ending of its files
        self.splits: dict[str, list[plan.Run]] = {}
        for run in runs:
            part = f'_split{run.split}' if run.split else ''
            self.splits.setdefault(part, []).append(run)
        self.folder: Path = args.work_dir / args.name
        self.versions = read_versions()
        self._step = 0

    def say(self, text: str) -> None:
        """One line about the step that begins."""
        self._step += 1
        total = 2 * len(self.runs) + 1 + len(self.splits)
        print(f'[{self._step}/{total}] {text}', flush=True)

    def check(self) -> dict:
        """Check all data; by ListedVideos what is known of them."""
        # one list may be read with several folders of files
        videos = [v for run in self.runs for v in run.videos.values()]
        self.say(f'data: checking {len({v.ann_file for v in videos})} lists')
        known = {each: each.check() for each in dict.fromkeys(videos)}
        for run in self.runs:
            check_overlap(run.videos['train'].ann_file, run.test_list)
        for runs in self.splits.values():
            check_streams([run.test_list for run in runs])
        for each in known.values():
            shown = f'{each["list"]} in {each["folder"]}'
            print(f'  {each["videos"]:>7} videos, {shown}')
        return known

    def step(
        self,
        title: str,
        inputs: dict[str, Any],
        command: Sequence[str],
        output: Callable[[], Path],
    ) -> dict:
        """Run a command, unless it is done already; its marker."""
        path, marker = self._marker(title)
        if steps.is_done(marker, inputs):
            self.say(f'{title}: done before')
            return marker
        self.say(f'{title}: {shlex.join(command)}')
        marker = {
            'step': path.stem,
            'state': 'started',
            'inputs': inputs,
            'outputs': {},
            'command': command,
            'started': _now(),
            'versions': self.versions,
        }
        write_json(path, marker)
        run_command(title, command, self.lock)
        made = output()
        marker['outputs'] = {str(made): file_sha256(made)}
        marker |= {'state': 'done', 'finished': _now()}
        write_json(path, marker)
        return marker

    def _marker(self, title: str) -> tuple[Path, dict]:
        """The file of a step's marker, and what it holds."""
        path = self.folder / 'steps' / f'{title.replace(" ", "_")}.json'
        if not path.exists():
            return path, {'state': 'new', 'inputs': {}}
        return path, json.loads(path.read_text(encoding='utf-8'))

    def train(self, run: plan.Run) -> dict:
        """Train, or go on training; the marker of the step."""
        title = f'train {run.title}'
        inputs = plan.train_inputs(run, self.args)
        changed = steps.changed(self._marker(title)[1], inputs)
        if changed and run.train_dir.exists():
            if not self.args.restart:
                raise ToolError(
                    f'{run.train_dir} holds a training of {run.title} from '
                    f'other inputs (changed: {", ".join(changed)}); take '
                    'another --name, or --restart to move it aside'
                )
            number = 1
            while (old := Path(f'{run.train_dir}.old-{number}')).exists():
                number += 1
            run.train_dir.rename(old)
            print(f'  moved {run.train_dir} to {old}')

        def checkpoint() -> Path:
            if (path := run.checkpoint()) is None:
                raise ToolError(
                    f'the training left no checkpoint in {run.train_dir}; '
                    'the config needs a CheckpointHook'
                )
            return path

        command = plan.train_command(run, self.args)
        return self.step(title, inputs, command, checkpoint)

    def test(self, run: plan.Run, trained: dict) -> dict:
        """Test the last checkpoint; the marker of the step."""
        ((checkpoint, digest),) = trained['outputs'].items()
        inputs = {
            'config': run.config_sha256,
            'checkpoint': digest,
            'list': file_sha256(run.test_list),
        }
        part = run.scores.with_suffix('.part.pkl')

        def scores() -> Path:
            # complete, finite, and the videos of the list: only then its name
            load_scores(part, run.test_list)
            return part.replace(run.scores)

        command = plan.test_command(run, self.args.gpus, checkpoint, part)
        return self.step(f'test {run.title}', inputs, command, scores)

    def fuse(self, part: str, runs: Sequence[plan.Run]) -> dict:
        """Measure the streams of one split, and their fusion."""
        self.say(f'measure{part.replace("_", " ")}')
        label_map = Path(runs[0].test_list).with_name('label_map.txt')
        report = fuse_files(
            {run.stream: run.scores for run in runs},
            self.args.weights,
            {run.stream: run.test_list for run in runs},
            self.args.classes or (label_map if label_map.exists() else None),
        )
        write_json(self.folder / f'fused{part}.json', report)
        print(format_report(report))
        # in fused*.json; the result is not the place for it
        del report['per_class']
        return report

    def run(self) -> str:
        """All steps; the table row."""
        known, runs = self.check(), []
        for run in self.runs:
            trained = self.train(run)
            hooks = run.settings.get('custom_hooks') or []
            switch = [h['switch_epoch'] for h in hooks if 'switch_epoch' in h]
            runs.append(
                {
                    'stream': run.stream,
                    'split': run.split or 1,
                    'config': run.config,
                    'config_sha256': run.config_sha256,
                    'cfg_options': run.options,
                    'max_epochs': run.settings['train_cfg'].get('max_epochs'),
                    'second_stage_from_epoch': switch[0] if switch else None,
                    'data': {k: known[each] for k, each in run.videos.items()},
                    'checkpoint': trained['outputs'],
                    'train': trained,
                    'test': self.test(run, trained),
                }
            )
        splits = [self.fuse(*split) for split in self.splits.items()]
        summary = summarise(splits)
        configs = steps.json_sha256([run['config_sha256'] for run in runs])
        args = vars(self.args)
        result = {
            'tool': 'run_experiment',
            'name': self.args.name,
            'configs_sha256': configs,
            'settings': {k: args[k] for k in ('seed', 'amp', 'gpus')},
            'versions': self.versions,
            'summary': summary,
            'runs': runs,
            'splits': splits,
        }
        write_json(self.folder / 'result.json', result)
        streams = len(runs) // len(splits)
        train = [run['data']['train']['videos'] for run in runs[::streams]]
        shares = [f'{weight:.3g}' for weight in summary['weights'].values()]
        named = [
            f'{name} {self.versions.get(name)}'
            for name in ('lgd_mmaction', 'commit', 'mmaction2', 'torch')
        ]
        extra = {
            'train videos': ' + '.join(map(str, train)),
            'weights': ' : '.join(shares),
            'configs': configs[:12],
            'versions': ', '.join(named),
        }
        table = format_table(self.args.name, summary, extra=extra)
        write_text(self.folder / 'result.md', table + '\n')
        if len(splits) > 1:
            print(f'all splits together, {pooled_interval(splits)}')
        return table


def read_versions() -> dict[str, Any]:
    """Python, packages, GPUs and the commit of this repository."""
    import torch

    found: dict[str, Any] = {'python': platform.python_version()}
    for name in (
        *('lgd_mmaction', 'mmaction2', 'mmengine', 'mmcv', 'mmcv-lite'),
        *('torch', 'numpy', 'opencv-contrib-python'),
    ):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    done = subprocess.run(
        ['git', 'describe', '--always', '--dirty', '--abbrev=12'],
        cwd=steps.ROOT, capture_output=True, text=True,
    )  # fmt: skip
    found['commit'] = done.stdout.strip() or None
    gpus = range(torch.cuda.device_count())
    found['gpus'] = [torch.cuda.get_device_name(gpu) for gpu in gpus]
    return found


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec='seconds')
