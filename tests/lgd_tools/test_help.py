"""--help of every data command: an example, soon, and without torch."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = sorted(
    path.name
    for path in (Path(__file__).parents[2] / 'tools' / 'data').glob('*.py')
)
CODE = """
import runpy, sys
sys.argv = [{script!r}, '--help']
try:
    runpy.run_path({script!r}, run_name='__main__')
finally:
    assert 'torch' not in sys.modules, 'torch was imported'
"""


@pytest.mark.parametrize('name', COMMANDS)
def test_help(name: str, repo_root: Path) -> None:
    script = str(repo_root / 'tools' / 'data' / name)
    before = seconds_of_children()
    done = subprocess.run(
        [sys.executable, '-c', CODE.format(script=script)],
        capture_output=True,
        text=True,
    )
    seconds = seconds_of_children() - before  # of processor: others are busy
    assert (done.returncode, done.stderr) == (0, '')
    assert f'\n  python tools/data/{name} ' in done.stdout.split('example:')[1]
    assert seconds < 3


def seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
