"""The steps of an experiment: check, train, test, fuse, write."""

import argparse
import contextlib
import platform
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, file_sha256, write_json, write_text
from lgd_tools.experiment import plan, steps
from lgd_tools.experiment.data import (
    ListedVideos,
    check_overlap,
    check_streams,
)
from lgd_tools.experiment.steps import run_command
from lgd_tools.results.fuse_streams import (
    format_report,
    fuse_files,
    pooled_interval,
)
from lgd_tools.results.scores import load_scores
from lgd_tools.results.summarise_splits import format_table, summarise

PACKAGES = (
    *('lgd_mmaction', 'mmaction2', 'mmengine', 'mmcv', 'mmcv-lite'),
    *('torch', 'numpy', 'opencv-contrib-python'),
)


class Experiment:
    """The steps of one row, in order, each skipped where it is done.

    Args:
        args: The command line of run_experiment.py.
        runs: Its trainings, split by split.
    """

    def __init__(
        self, args: argparse.Namespace, runs: Sequence[plan.Run]
    ) -> None:
        self.args = args
        self.runs = runs
        # the runs of each split, by the ending of its files
        self.splits: dict[str, list[plan.Run]] = {}
        for run in runs:
            part = f'_split{run.split}' if run.split else ''
            self.splits.setdefault(part, []).append(run)
        self.folder: Path = args.work_dir / args.name
        self.store = steps.StepStore(self.folder / 'steps', read_versions())
        self.lock = -1
        self._step = 0

    def say(self, text: str) -> None:
        """One line about the step that begins."""
        self._step += 1
        total = 2 * len(self.runs) + 1 + len(self.splits)
        print(f'[{self._step}/{total}] {text}', flush=True)

    def check(self) -> dict[ListedVideos, dict]:
        """Check all data; what is known of each data set."""
        # one list may be read with several folders of files
        videos = [v for run in self.runs for v in run.videos().values()]
        self.say(f'data: checking {len({v.ann_file for v in videos})} lists')
        known = {each: each.check() for each in dict.fromkeys(videos)}
        for run in self.runs:
            own = run.videos()
            check_overlap(own['train'].ann_file, own['test'].ann_file)
        for runs in self.splits.values():
            check_streams([run.test_list for run in runs])
        for each in known.values():
            shown = f'{each["list"]} in {each["folder"]}'
            print(f'  {each["videos"]:>7} videos, {shown}')
        return known

    def step(
        self,
        title: str,
        inputs: Mapping[str, Any],
        command: Sequence[str],
        outputs: Callable[[], list[Path]],
    ) -> dict:
        """Run a command, unless it is done already; its marker."""
        key = title.replace(' ', '_')
        marker = self.store.done(key, inputs)
        if marker is not None:
            self.say(f'{title}: done before')
            return marker
        self.say(f'{title}: {shlex.join(command)}')
        self.store.start(key, inputs, command)
        run_command(title, command, self.lock)
        return self.store.finish(key, outputs())

    def train(self, run: plan.Run) -> dict:
        """Train, or go on training; the marker of the step."""
        inputs = plan.train_inputs(run, self.args)
        self._refuse_other_training(run, inputs)

        def checkpoint() -> list[Path]:
            if (path := run.checkpoint()) is None:
                raise ToolError(
                    f'the training left no checkpoint in {run.train_dir}; '
                    'the config needs a CheckpointHook'
                )
            return [path]

        command = plan.train_command(run, self.args)
        return self.step(f'train {run.title}', inputs, command, checkpoint)

    def _refuse_other_training(self, run: plan.Run, inputs: dict) -> None:
        """Never go on with a training that began from other inputs."""
        marker = self.store.read(f'train {run.title}'.replace(' ', '_'))
        changed = steps.changed(marker or {'inputs': {}}, inputs)
        if not changed or not run.train_dir.exists():
            return
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

    def test(self, run: plan.Run, trained: dict) -> dict:
        """Test the last checkpoint; the marker of the step."""
        ((checkpoint, digest),) = trained['outputs'].items()
        inputs = {
            'config': run.config_sha256,
            'checkpoint': digest,
            'list': file_sha256(run.test_list),
        }
        part = run.scores.with_suffix('.part.pkl')

        def scores() -> list[Path]:
            # complete, finite, and the videos of the list: only then its name
            load_scores(part, run.test_list)
            return [part.replace(run.scores)]

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
            videos = run.videos().items()
            runs.append(
                {
                    'stream': run.stream,
                    'split': run.split or 1,
                    'config': run.config,
                    'config_sha256': run.config_sha256,
                    'cfg_options': run.options,
                    'max_epochs': run.settings['train_cfg'].get('max_epochs'),
                    'second_stage_from_epoch': switch[0] if switch else None,
                    'data': {role: known[each] for role, each in videos},
                    'checkpoint': trained['outputs'],
                    'train': trained,
                    'test': self.test(run, trained),
                }
            )
        splits = [self.fuse(*split) for split in self.splits.items()]
        summary, versions = summarise(splits), self.store.versions
        configs = steps.json_sha256([run['config_sha256'] for run in runs])
        settings = {k: vars(self.args)[k] for k in ('seed', 'amp', 'gpus')}
        result = {
            'tool': 'run_experiment',
            'name': self.args.name,
            'configs_sha256': configs,
            'settings': settings,
            'versions': versions,
            'summary': summary,
            'runs': runs,
            'splits': splits,
        }
        write_json(self.folder / 'result.json', result)
        streams = len(runs) // len(splits)
        train = [run['data']['train']['videos'] for run in runs[::streams]]
        shares = [f'{weight:.3g}' for weight in summary['weights'].values()]
        named = ('lgd_mmaction', 'commit', 'mmaction2', 'torch')
        extra = {
            'train videos': ' + '.join(map(str, train)),
            'weights': ' : '.join(shares),
            'configs': configs[:12],
            'versions': ', '.join(f'{n} {versions.get(n)}' for n in named),
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
    for name in PACKAGES:
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
