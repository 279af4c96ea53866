"""tools/quickstart.sh: options, errors, and a tiny run of every step."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lgd_tools.results.scores import load_scores
from tests.warm import PYTHON


@pytest.fixture
def quickstart(repo_root):
    """Runs the script with this Python and without installing."""
    env = dict(os.environ, OMP_NUM_THREADS='1')

    def run(
        *args: object, python: str = sys.executable
    ) -> subprocess.CompletedProcess:
        folder = Path(python).parent
        env['PATH'] = f'{folder}{os.pathsep}{os.environ["PATH"]}'
        return subprocess.run(
            ['bash', repo_root / 'tools' / 'quickstart.sh', *map(str, args)],
            env=env,
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_help_names_every_option(quickstart):
    said = quickstart('--help')
    assert said.returncode == 0
    for option in ('--out', '--seed', '--fresh', '--no-install', '--smoke'):
        assert f'\n    {option} ' in said.stdout
    assert 'set -euo' not in said.stdout


@pytest.mark.parametrize(
    'args, message',
    [
        (['--sed', '1'], 'unknown option --sed'),
        (['--no-install', '--out', 'a b'], 'has a blank in its name'),
    ],
)
def test_wrong_options_are_one_sentence(quickstart, args, message):
    said = quickstart(*args)
    assert said.returncode == 2
    assert said.stderr.startswith('error: ')
    assert message in said.stderr
    assert said.stderr.count('\n') == 1


def test_wrong_values_are_named(quickstart):
    said = quickstart('--no-install', '--seed', 'x')
    assert said.returncode == 2
    assert "--seed: 'x' is not a whole number" in said.stderr


def test_a_folder_of_others_is_left_alone(quickstart, tmp_path):
    (tmp_path / 'thesis.txt').write_text('mine')
    for more in ([], ['--fresh']):
        said = quickstart('--no-install', '--out', tmp_path, *more)
        assert said.returncode == 2
        assert 'holds other files' in said.stderr
    assert contents(tmp_path) == {'thesis.txt': b'mine'}


@pytest.mark.slow
def test_every_step_and_again(quickstart, tmp_path):
    out = tmp_path / 'out'
    args = ('--no-install', '--smoke', '--out', out, '--seed', 3)
    first = quickstart(*args, python=PYTHON)
    assert first.returncode == 0, first.stdout + first.stderr
    for part in ('generate_clips.py', 'train.py', 'test.py', 'report_run.py'):
        assert part in first.stdout  # the commands by hand
    assert 'begins in stage 2, loss (6)' in first.stdout
    assert 'nothing about real data' in first.stdout

    # real, encoded clips; the checkpoint is of stage 2
    clips = sorted((out / 'data').rglob('*.mp4'))
    assert len(clips) == 8 * (2 + 1)
    assert clips[0].read_bytes()[4:8] == b'ftyp'
    state = torch.load(out / 'train' / 'epoch_2.pth', weights_only=True)
    assert int(state['state_dict']['cls_head.stage']) == 2

    # the numbers, computed again from the dump
    scores = load_scores(out / 'scores.pkl')
    summary = json.loads((out / 'report' / 'summary.json').read_text())
    hits = scores.values.argmax(1) == scores.labels
    assert summary['clips'] == len(hits) == 8
    assert summary['classes'] == 8
    assert summary['right'] == hits.sum()
    assert summary['top1'] == pytest.approx(hits.mean())
    assert summary['chance'] == 1 / 8
    assert summary['training']['length'] == 2
    assert summary['training']['switch'] == 1
    assert set(summary['training']) > {'loss_local', 'loss_cls'}
    top1 = f'top-1: {hits.mean():.1%} ({hits.sum()} of 8 clips'
    assert top1 in first.stdout
    for name in ('curves', 'confusion_matrix'):
        picture = (out / 'report' / f'{name}.png').read_bytes()
        assert picture.startswith(b'\x89PNG') and len(picture) > 10_000

    # again: nothing is done twice, nothing is changed
    before = contents(out)
    second = quickstart(*args, python=PYTHON)
    assert second.returncode == 0, second.stdout + second.stderr
    assert second.stdout.count('done in an earlier run: kept') == 2
    assert top1 in second.stdout
    after = contents(out)
    assert before.keys() == after.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {'data/preview.png'}

    # another seed does not overwrite it
    other = quickstart(*args[:-1], 4)
    assert other.returncode == 2
    assert "made with other settings ({'seed': 3" in other.stderr
    assert contents(out).keys() == before.keys()
    (out / 'thesis.txt').write_text('mine')
    refused = quickstart('--no-install', '--out', out, '--fresh', '--sed')
    assert refused.returncode == 2
    assert contents(out).keys() == before.keys() | {'thesis.txt'}
