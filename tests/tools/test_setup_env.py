"""tools/setup_env.sh: what it chooses, and one sentence when it cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def bash(
    code: str, repo: Path, **env: str | None
) -> subprocess.CompletedProcess:
    merged = {**os.environ, 'PYTHONWARNINGS': 'ignore'}
    for name in ('VIRTUAL_ENV', 'CONDA_PREFIX', 'PYTHONPATH'):
        merged.pop(name, None)
    merged.update({k: v for k, v in env.items() if v is not None})
    return subprocess.run(
        [
            'bash',
            '-c',
            f'set -euo pipefail\nsource tools/setup_env.sh\n{code}',
        ],
        cwd=repo,
        env=merged,
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
    for name in ('setup.cfg', 'pyproject.toml'):
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
    for name in ('bash', 'sh', 'cat', 'dirname', 'rm', 'tail'):
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


def error_of(done: subprocess.CompletedProcess) -> str:
    lines = [x for x in done.stderr.splitlines() if x.startswith('error: ')]
    assert done.returncode != 0
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_no_python(checkout: Path, tmp_path: Path) -> None:
    done = bash('setup_env lite', checkout, PATH=tools_only(tmp_path / 'bin'))
    text = error_of(done)
    assert 'no Python 3.10, 3.11 or 3.12 was found' in text
    assert 'python3-venv' in text
    assert not (checkout / '.venv').exists()


def test_only_an_unfit_python(checkout: Path, tmp_path: Path) -> None:
    path = tools_only(tmp_path / 'bin')
    # as pyenv's commands for versions that are not switched on
    command(tmp_path / 'bin', 'python3.11', 'echo not found >&2; exit 127')
    command(tmp_path / 'bin', 'python3', 'exit 1')
    done = bash('setup_env lite', checkout, PATH=path)
    assert 'no Python 3.10, 3.11 or 3.12 was found' in error_of(done)


def test_python_without_venv(checkout: Path, tmp_path: Path) -> None:
    path = tools_only(tmp_path / 'bin')
    command(
        tmp_path / 'bin',
        'python3.12',
        'test "$1" = -m || exit 0\nmkdir -p .venv; exit 1',
    )
    (tmp_path / 'bin' / 'mkdir').symlink_to(shutil.which('mkdir'))
    done = bash('setup_env lite', checkout, PATH=path)
    assert 'cannot make environments' in error_of(done)
    assert not (checkout / '.venv').exists(), 'half an environment is left'


def test_active_environment_of_another_version(
    checkout: Path, tmp_path: Path
) -> None:
    command(tmp_path / 'env' / 'bin', 'python', 'exit 1')
    for name in ('VIRTUAL_ENV', 'CONDA_PREFIX'):
        done = bash('setup_env lite', checkout, **{name: f'{tmp_path}/env'})
        text = error_of(done)
        assert f'{tmp_path}/env' in text and 'deactivate it' in text


def test_unknown_mode(checkout: Path) -> None:
    done = bash('setup_env everything', checkout)
    assert "lite or full, not 'everything'" in error_of(done)


def test_active_environment_is_used(checkout: Path) -> None:
    done = bash(
        '_lgd_activate; command -v python; echo "$_lgd_prefix"',
        checkout,
        VIRTUAL_ENV=sys.prefix,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [
        f'{sys.prefix}/bin/python',
        sys.prefix,
    ]
    assert not (checkout / '.venv').exists()


@pytest.mark.slow
def test_stamp_tells_lock_files_apart(checkout: Path) -> None:
    code = '_lgd_activate >/dev/null; _lgd_stamp lite; _lgd_stamp full'
    first = bash(code, checkout, VIRTUAL_ENV=sys.prefix).stdout.split()
    assert len(first) == 2 and first[0] != first[1]
    assert bash(code, checkout, VIRTUAL_ENV=sys.prefix).stdout.split() == first
    with (checkout / 'tools/requirements/lite.txt').open('a') as f:
        f.write('# changed\n')
    later = bash(code, checkout, VIRTUAL_ENV=sys.prefix).stdout.split()
    assert not set(later) & set(first)


@pytest.mark.slow
def test_torch_of_the_environment_is_kept(checkout: Path) -> None:
    """Nothing is installed, by pip or else, when torch is there."""
    done = bash(
        '_lgd_activate; _lgd_pip() { echo "pip $*"; exit 9; }; _lgd_torch',
        checkout,
        VIRTUAL_ENV=sys.prefix,
    )
    import torch

    assert done.returncode == 0, done.stdout + done.stderr
    assert f'Keeping torch {torch.__version__}' in done.stdout


def test_no_compiler_for_the_full_mmcv(checkout: Path, tmp_path: Path) -> None:
    """Says so before anything that works is removed."""
    path = tools_only(tmp_path / 'bin')
    done = bash(
        '_lgd_activate >/dev/null\n'
        '_lgd_pip() { case $1 in uninstall) echo removed ;; esac; }\n'
        '_lgd_dist() { return 1; }\n'
        '_lgd_mmcv_full',
        checkout,
        VIRTUAL_ENV=sys.prefix,
        PATH=path,
        CXX='no-such-compiler',
    )
    assert 'there is no C++ compiler' in error_of(done)
    assert 'removed' not in done.stdout


def test_refused_mmcv_is_named(checkout: Path) -> None:
    done = bash(
        '_lgd_activate >/dev/null\n_lgd_dist() { echo 2.2.0; }\n'
        '_lgd_mmcv_lite',
        checkout,
        VIRTUAL_ENV=sys.prefix,
    )
    assert 'refuses the mmcv 2.2.0' in error_of(done)


@pytest.mark.parametrize('version', ['2.0.1', '2.1.0'])
def test_full_mmcv_is_kept_in_lite_mode(checkout: Path, version: str) -> None:
    """mmcv-lite is never installed over it."""
    done = bash(
        '_lgd_activate >/dev/null\n'
        f'_lgd_dist() {{ echo {version}; }}\n'
        '_lgd_pip() { echo installed; }\n_lgd_mmcv_lite',
        checkout,
        VIRTUAL_ENV=sys.prefix,
    )
    assert done.returncode == 0, done.stderr
    assert f'Keeping mmcv {version}' in done.stdout
    assert 'installed' not in done.stdout
