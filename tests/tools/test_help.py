"""--help of every command: help with an example, soon, and nothing else."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.warm import PYTHON

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ('*.py', '*.sh', '[!l]*/*.py')  # not lgd_tools/
    for path in (ROOT / 'tools').glob(pattern)
    if path.name != 'launchers.sh'  # what the others source
)
# what they show or measure is torch's, so they take as long as its import
TORCH = {
    *('tools/train.py', 'tools/test.py', 'tools/predict.py'),
    *('tools/analysis/draw_tubes.py', 'tools/benchmarks/activation_memory.py'),
    *('tools/benchmarks/bench_train_step.py',),
    *('tools/benchmarks/bench_tube_metric.py',),
    *('tools/benchmarks/bench_video_reading.py',),
}
# as the command, and complain of torch
CODE = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
finally:
    assert 'torch' not in sys.modules, 'torch was imported'
"""


def seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(name, marks=pytest.mark.slow) if name in TORCH else name
        for name in COMMANDS
    ],
)
def test_help(name: str, tmp_path: Path) -> None:
    bin, folder = tmp_path / 'bin', tmp_path / 'folder'
    bin.mkdir()
    folder.mkdir()
    env = dict(os.environ, PYTHONWARNINGS='ignore')
    script = str(ROOT / name)
    if name.endswith('.sh'):
        program, command = 'bash', ['bash', script]
        # a python that would leave a trace
        (bin / 'python').write_text(f'#!/bin/sh\ntouch {folder}/ran\n')
        (bin / 'python').chmod(0o755)
        env['PATH'] = f'{bin}{os.pathsep}{env["PATH"]}'
    else:
        program, command = 'python', [sys.executable, '-c', CODE, script]
    before = seconds_of_children()
    if name in TORCH:
        command = [PYTHON, script]
    done = subprocess.run(
        [*command, '--help'],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    seconds = seconds_of_children() - before  # of processor: others are busy
    assert (done.returncode, done.stderr) == (0, '')
    shown = done.stdout.lower().split('example', 1)
    assert len(shown) == 2 and f'{program} {name}' in shown[1]
    assert 'set -euo' not in done.stdout
    assert not list(folder.iterdir())
    assert name in TORCH or seconds < 3
