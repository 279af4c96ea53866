"""The steps of an experiment: check, train, test, fuse, write."""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lgd_tools.cli import ToolError, file_sha256, read_lines, write_json
from lgd_tools.experiment import plan
from lgd_tools.experiment.data_check import (
    check_dataset,
    check_overlap,
    check_streams,
    data_key,
    dataset_of,
)
from lgd_tools.experiment.report import run_facts, write_result
from lgd_tools.experiment.steps import StepStore, changed_inputs, run_command
from lgd_tools.results.fuse_streams import (
    draw_gains,
    format_report,
    fuse_files,
)
from lgd_tools.results.scores import load_scores
from lgd_tools.results.summarise_splits import summarise


class Experiment:
    """The steps of one row, in order, each skipped where it is done.

    Args:
        args: The command line of run_experiment.py.
        runs: Its trainings, split by split.
        store: The markers of the steps.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        runs: Sequence[plan.Run],
        store: StepStore,
    ) -> None:
        self.args = args
        self.runs = list(runs)
        self.store = store
        self.folder: Path = args.work_dir / args.name
        self.lock: int | None = None
        self._step = 0

    def say(self, text: str) -> None:
        """One line about the step that begins."""
        self._step += 1
        total = 2 * len(self.runs) + 1 + len(self.by_split())
        print(f'[{self._step}/{total}] {text}', flush=True)

    def by_split(self) -> list[list[plan.Run]]:
        """The runs of each split."""
        splits = sorted({run.split for run in self.runs})
        return [[r for r in self.runs if r.split == s] for s in splits]

    def check(self, force: bool = False) -> dict[str, dict]:
        """Checks all data once; counts of each data set, by its key."""
        lists = {path for run in self.runs for path in run.lists().values()}
        for path in lists:
            # says which one is missing
            read_lines(path, 'annotation list')
        inputs = {
            'lists': {path: file_sha256(path) for path in sorted(lists)},
            'configs': [run.config_sha256 for run in self.runs],
            'data': sorted(
                {
                    self._data_key(r, role)
                    for r in self.runs
                    for role in r.lists()
                }
            ),
        }
        marker = self.store.done('check', inputs)
        if marker is not None and not force:
            self.say('data: checked before')
            _print_notes(marker['notes'])
            return marker['notes']
        self.say(f'data: checking {len(lists)} lists')
        self.store.start('check', inputs)
        counts: dict[str, dict] = {}
        for run in self.runs:
            for role in run.lists():
                # one list may be read with several folders of files
                key = self._data_key(run, role)
                if key not in counts:
                    dataset = dataset_of(run.settings, role)
                    counts[key] = check_dataset(dataset, run.classes)
            check_overlap(run.lists()['train'], run.lists()['test'])
        for runs in self.by_split():
            check_streams([run.lists()['test'] for run in runs])
        self.store.finish('check', notes=counts)
        for facts in counts.values():
            shown = f'{facts["list"]} in {facts["folder"]}'
            print(f'  {facts["videos"]:>7} videos, {shown}')
        _print_notes(counts)
        return counts

    def _data_key(self, run: plan.Run, role: str) -> str:
        return data_key(dataset_of(run.settings, role), run.classes)

    def train(self, run: plan.Run) -> dict:
        """Trains, or goes on training; the marker of the step."""
        args, key = self.args, f'train_{run.key}'
        inputs = plan.train_inputs(run, args.seed, args.amp)
        marker = self.store.done(key, inputs)
        if marker is not None:
            self.say(f'train {run.title}: done before')
            return marker
        self._refuse_other_training(run, key, inputs)
        command = plan.train_command(
            run, plan.TRAIN_SCRIPT, args.gpus, args.seed, args.amp
        )
        self.say(f'train {run.title}: {shlex.join(command)}')
        self.store.start(key, inputs, command)
        run_command(f'train {run.title}', command, self.lock)
        checkpoint = plan.newest_checkpoint(run.train_dir)
        if checkpoint is None:
            raise ToolError(
                f'train {run.title} left no checkpoint in {run.train_dir}; '
                'the config needs a CheckpointHook'
            )
        return self.store.finish(key, [checkpoint])

    def _refuse_other_training(
        self, run: plan.Run, key: str, inputs: dict
    ) -> None:
        """Never goes on with a training that began from other inputs."""
        marker = self.store.read(key)
        changed = [] if marker is None else changed_inputs(marker, inputs)
        if marker is None and run.train_dir.exists():
            changed = ['its marker is gone']
        if not changed:
            return
        if not self.args.restart:
            raise ToolError(
                f'{run.train_dir} holds a training of {run.title} from '
                f'other inputs (changed: {", ".join(changed)}); take '
                'another --name, or --restart to move it aside'
            )
        if run.train_dir.exists():
            number = 1
            while (old := Path(f'{run.train_dir}.old-{number}')).exists():
                number += 1
            run.train_dir.rename(old)
            print(f'  moved {run.train_dir} to {old}')
        self.store.forget(key)

    def test(self, run: plan.Run, trained: dict) -> dict:
        """Tests the last checkpoint; the marker of the step."""
        (checkpoint, digest), *_ = trained['outputs'].items()
        test_list = run.lists()['test']
        inputs = {
            'config': run.config_sha256,
            'checkpoint': digest,
            'list': file_sha256(test_list),
        }
        key = f'test_{run.key}'
        marker = self.store.done(key, inputs)
        if marker is not None:
            self.say(f'test {run.title}: done before')
            return marker
        part = run.scores.with_suffix('.part.pkl')
        part.unlink(missing_ok=True)
        command = plan.test_command(
            run, plan.TEST_SCRIPT, self.args.gpus, Path(checkpoint), part
        )
        self.say(f'test {run.title}: {shlex.join(command)}')
        self.store.start(key, inputs, command)
        run_command(f'test {run.title}', command, self.lock)
        # complete, finite, and the videos of the list: only then its name
        scores = load_scores(part, test_list)
        part.replace(run.scores)
        return self.store.finish(
            key, [run.scores], {'videos': len(scores.names)}
        )

    def fuse(self, runs: Sequence[plan.Run]) -> dict:
        """Measures the streams of one split, and their fusion."""
        part = self._suffix(runs)
        self.say(f'measure{part.replace("_", " ")}')
        report = fuse_files(
            {run.stream: run.scores for run in runs},
            self.args.weights,
            {run.stream: run.lists()['test'] for run in runs},
            self._class_names(runs[0]),
            sweep_steps=self.args.sweep,
        )
        write_json(self.folder / f'fused{part}.json', report)
        if len(runs) > 1:
            draw_gains(report, self.folder / f'gains{part}.png')
        print(format_report(report))
        return report

    def _suffix(self, runs: Sequence[plan.Run]) -> str:
        return '' if len(runs) == len(self.runs) else f'_split{runs[0].split}'

    def _class_names(self, run: plan.Run) -> list[str] | None:
        beside = Path(run.lists()['test']).parent / 'label_map.txt'
        path = self.args.classes or (beside if beside.is_file() else None)
        if path is None:
            return None
        return [text for _, text in read_lines(path, 'label map')]

    def run(self) -> str:
        """All steps; returns the table row."""
        counts = self.check()
        facts = []
        for run in self.runs:
            trained = self.train(run)
            tested = self.test(run, trained)
            data = {r: counts[self._data_key(run, r)] for r in run.lists()}
            markers = {'train': trained, 'test': tested}
            facts.append(run_facts(run, data, markers))
        reports = [self.fuse(runs) for runs in self.by_split()]
        for report in reports:
            # in fused*.json; the result is not the place for it
            report.pop('per_class')
            report.pop('sweep', None)
        return write_result(
            self.folder,
            self.args.name,
            summarise(reports),
            facts,
            reports,
            self.store.versions,
            {k: getattr(self.args, k) for k in ('seed', 'amp', 'gpus')},
        )

    def dry_run(self) -> None:
        """Prints each step, its state and its command; runs nothing."""
        args = self.args
        print('# check the data: tools/run_experiment.py ... --check-only')
        for run in self.runs:
            command = plan.train_command(
                run, plan.TRAIN_SCRIPT, args.gpus, args.seed, args.amp
            )
            print(f'# train {run.title}: {self._state(f"train_{run.key}")}')
            print(shlex.join(command))
            checkpoint = plan.newest_checkpoint(run.train_dir)
            command = plan.test_command(
                run,
                plan.TEST_SCRIPT,
                args.gpus,
                checkpoint or run.train_dir / 'LAST_EPOCH.pth',
                run.scores,
            )
            print(f'# test {run.title}: {self._state(f"test_{run.key}")}')
            print(shlex.join(command))
        outs = []
        for runs in self.by_split():
            out = str(self.folder / f'fused{self._suffix(runs)}.json')
            outs.append(out)
            command = [sys.executable, 'tools/analysis/fuse_streams.py']
            command += [f'{run.stream}={run.scores}' for run in runs]
            if args.weights:
                command += ['--weights', *map(str, args.weights)]
            print(f'# fuse\n{shlex.join([*command, "--out", out])}')
        command = [sys.executable, 'tools/analysis/summarise_splits.py']
        command += [*outs, '--name', args.name]
        print(f'# summarise\n{shlex.join(command)}')

    def _state(self, key: str) -> str:
        marker = self.store.read(key)
        return 'to do' if marker is None else marker['state']


def _print_notes(counts: Mapping[str, dict]) -> None:
    for note in dict.fromkeys(facts['note'] for facts in counts.values()):
        if note:
            print(f'  warning: {note}', flush=True)
