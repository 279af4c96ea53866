"""tests/warm.py: its python does what python does."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.warm import PYTHON

pytestmark = pytest.mark.slow


def python(*args: object, **options) -> subprocess.CompletedProcess:
    command = [PYTHON, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def test_a_script_has_its_arguments_folder_environment_and_input(
    tmp_path: Path,
) -> None:
    (tmp_path / 'own.py').write_text('x = 5')
    script = tmp_path / 'a.py'
    script.write_text(
        'import os, sys, own\n'
        'print(__name__, sys.argv[1:], os.getcwd(), os.environ["A"], own.x)\n'
        'print(sys.stdin.read(), "PATH" in os.environ)\n'
        'print("to stderr", file=sys.stderr)\n'
    )
    done = python(script, 'b', 1, cwd='/', env=dict(A='é'), input='in')
    assert done.stdout == "__main__ ['b', '1'] / é 5\nin False\n"
    assert (done.returncode, done.stderr) == (0, 'to stderr\n')


def test_nothing_of_this_package_is_imported() -> None:
    code = 'import sys; print([m for m in sys.modules if m[:3] == "lgd"])'
    assert python('-c', code).stdout == '[]\n'
    done = python('-c', 'import sys; print("torch" in sys.modules)')
    assert done.stdout == 'True\n'


@pytest.mark.parametrize(
    ('code', 'end', 'said'),
    [
        ('sys.exit(7)', 7, ''),
        ('sys.exit("error: x")', 1, 'error: x'),
        ('1 / 0', 1, 'ZeroDivisionError: division by zero'),
        ('os.kill(os.getpid(), 9)', -9, ''),
        ('os.abort()', -6, ''),
        # what it starts is as warm
        ('subprocess.run([sys.executable, "-c", "import torch"])', 0, ''),
        ('warnings.warn("x")', 0, '<string>:1: UserWarning: x'),
    ],
)
def test_ends(code: str, end: int, said: str) -> None:
    done = python('-c', f'import os, subprocess, sys, warnings; {code}')
    assert done.returncode == end
    assert ([''] + done.stderr.splitlines())[-1] == said


def test_options_and_modules() -> None:
    done = python('-W', 'ignore', '-c', 'import warnings; warnings.warn("x")')
    assert (done.returncode, done.stderr) == (0, '')
    assert python('-m', 'json.tool', input='[1]').stdout == '[\n    1\n]\n'


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT', 'SIGKILL'])
def test_signals(name: str) -> None:
    """The command gets them; killed, it is gone."""
    code = (
        'import os, signal, sys, time\n'
        'for n in (signal.SIGTERM, signal.SIGINT):\n'
        '    signal.signal(n, lambda n, _: sys.exit(n))\n'
        'print(os.getpid(), flush=True)\n'
        'time.sleep(60)\n'
    )
    number = getattr(signal, name)
    with subprocess.Popen(
        [PYTHON, '-c', code], stdout=subprocess.PIPE, text=True
    ) as process:
        pid = int(process.stdout.readline())
        assert pid != process.pid
        process.send_signal(number)
        # at the end of its output the command has ended
        assert process.stdout.read() == ''
        assert process.wait(30) == (-9 if name == 'SIGKILL' else number)
    if name != 'SIGKILL':
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
