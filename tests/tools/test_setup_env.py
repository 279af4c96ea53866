"""tools/setup_env.sh: what it chooses, and one sentence when it cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def set_up(repo: Path, *args: str, **env: str) -> subprocess.CompletedProcess:
    merged = {**os.environ, 'PYTHONWARNINGS': 'ignore', 'PYENV_ROOT': '/none'}
    for name in ('VIRTUAL_ENV', 'CONDA_PREFIX', 'PYTHONPATH', 'LGD_PYTHON'):
        merged.pop(name, None)
    return subprocess.run(
        ['bash', 'tools/setup_env.sh', *args],
        cwd=repo,
        env=merged | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def checkout(repo_root: Path, tmp_path: Path) -> Path:
    """A place of its own for what the set-up would write."""
    folder = tmp_path / 'repo'
    shutil.copytree(
        repo_root / 'tools' / 'requirements',
        folder / 'tools' / 'requirements',
    )
    shutil.copy(repo_root / 'tools' / 'setup_env.sh', folder / 'tools')
    for name in ('setup.cfg', 'setup.py', 'pyproject.toml'):
        shutil.copy(repo_root / name, folder)
    return folder


def command(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)


def tools_only(folder: Path) -> str:
    """A PATH with the shell's own tools and no Python, no compiler."""
    folder.mkdir()
    for name in ('bash', 'sh', 'cat', 'cksum', 'dirname', 'rm', 'uname'):
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


def error_of(done: subprocess.CompletedProcess) -> str:
    lines = [x for x in done.stderr.splitlines() if x.startswith('error: ')]
    assert done.returncode != 0
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_no_python(checkout: Path, tmp_path: Path) -> None:
    done = set_up(checkout, 'lite', PATH=tools_only(tmp_path / 'bin'))
    text = error_of(done)
    assert 'no Python 3.10, 3.11, 3.12 or 3.13 was found' in text
    assert 'python3-venv' in text
    assert not (checkout / '.venv').exists()


def test_only_an_unfit_python(checkout: Path, tmp_path: Path) -> None:
    path = tools_only(tmp_path / 'bin')
    # as pyenv's commands for versions that are not switched on
    command(tmp_path / 'bin', 'python3.11', 'echo not found >&2; exit 127')
    command(tmp_path / 'bin', 'python3', 'exit 1')
    done = set_up(checkout, 'lite', PATH=path)
    assert 'no Python 3.10, 3.11, 3.12 or 3.13 was found' in error_of(done)


def test_python_without_venv(checkout: Path, tmp_path: Path) -> None:
    path = tools_only(tmp_path / 'bin')
    command(
        tmp_path / 'bin',
        'python3.12',
        'test "$1" = -m || exit 0\nmkdir -p .venv; exit 1',
    )
    (tmp_path / 'bin' / 'mkdir').symlink_to(shutil.which('mkdir'))
    done = set_up(checkout, 'lite', PATH=path)
    assert 'cannot make environments' in error_of(done)
    assert not (checkout / '.venv').exists(), 'half an environment is left'


def test_active_environment_of_another_version(
    checkout: Path, tmp_path: Path
) -> None:
    command(tmp_path / 'env' / 'bin', 'python', 'exit 1')
    for name in ('VIRTUAL_ENV', 'CONDA_PREFIX'):
        done = set_up(checkout, 'lite', **{name: f'{tmp_path}/env'})
        text = error_of(done)
        assert f'{tmp_path}/env' in text and 'deactivate it' in text


def test_unknown_mode(checkout: Path) -> None:
    done = set_up(checkout, 'everything')
    assert (
        "takes lite or full, then test or nothing, not 'everything'"
        in error_of(done)
    )


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment whose pip only says what it was asked to do."""
    env = tmp_path / 'env'
    command(
        env / 'bin',
        'python',
        f'case "$*" in *"-m pip"*) exit 0 ;; esac\nexec {sys.executable} "$@"',
    )
    return env


@pytest.mark.slow
def test_active_environment_and_its_torch_are_used(
    checkout: Path, environment: Path, tmp_path: Path
) -> None:
    """No compiler: said before anything that works is removed."""
    import torch

    (tmp_path / 'block').mkdir()
    (tmp_path / 'block' / 'mmcv.py').write_text('raise ImportError')
    done = set_up(
        checkout, 'full', VIRTUAL_ENV=str(environment),
        PATH=tools_only(tmp_path / 'bin'), CXX='no-such-compiler',
        PYTHONPATH=str(tmp_path / 'block'),
    )  # fmt: skip
    assert 'there is no C++ compiler' in error_of(done)
    assert f'Using the environment {environment}' in done.stdout
    assert f'Keeping torch {torch.__version__}' in done.stdout
    assert 'requirements/torch.txt' not in done.stdout
    assert 'uninstall' not in done.stdout
    assert not (checkout / '.venv').exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    'version, said',
    [('2.2.0', 'refuses the mmcv 2.2.0'), ('2.0.1', 'Keeping mmcv 2.0.1')],
)
def test_mmcv_of_the_environment(
    checkout: Path, environment: Path, tmp_path: Path, version: str, said: str
) -> None:
    """A full mmcv is kept, mmcv-lite never installed over it."""
    meta = tmp_path / 'site' / f'mmcv-{version}.dist-info' / 'METADATA'
    meta.parent.mkdir(parents=True)
    meta.write_text(f'Metadata-Version: 2.1\nName: mmcv\nVersion: {version}\n')
    done = set_up(
        checkout, 'lite', VIRTUAL_ENV=str(environment),
        PYTHONPATH=str(tmp_path / 'site'),
    )  # fmt: skip
    assert said in done.stdout + done.stderr
    assert 'mmcv-lite' not in done.stdout
