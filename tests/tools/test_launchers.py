"""tools/train.py, test.py, dist_*.sh and slurm_*.sh hand over as stock's."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.warm import PYTHON


def run(
    *command: str | Path, cwd: Path, **env: str
) -> subprocess.CompletedProcess:
    repo = Path(__file__).resolve().parents[2]
    return subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        env={
            **os.environ,
            'PYTHONPATH': str(repo),
            'PYTHONWARNINGS': 'ignore',
            **env,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    """A command that prints its arguments, one a line."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name in ('srun', 'python'):
        path = folder / name
        path.write_text(
            '#!/bin/sh\nfor a in "$@"; do echo "$a"; done\n'
            'echo "MASTER_PORT=$MASTER_PORT"\n'
        )
        path.chmod(0o755)
    return folder


def with_path(folder: Path) -> dict[str, str]:
    return {'PATH': f'{folder}{os.pathsep}{os.environ["PATH"]}'}


def test_slurm_train(repo_root: Path, echo: Path, tmp_path: Path) -> None:
    done = run(
        'bash', repo_root / 'tools' / 'slurm_train.sh', 'video', 'job', 'a.py',
        '--cfg-options', 'a=[(1, 2)]',
        cwd=tmp_path, GPUS='16', GPUS_PER_NODE='4', CPUS_PER_TASK='3',
        SRUN_ARGS='--quotatype=auto --async', **with_path(echo),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, port = done.stdout.splitlines()
    script = f'{repo_root}/tools/train.py'
    assert lines == [
        '-p', 'video', '--job-name=job', '--gres=gpu:4', '--ntasks=16',
        '--ntasks-per-node=4', '--cpus-per-task=3', '--kill-on-bad-exit=1',
        '--quotatype=auto', '--async', 'python', '-u', script, 'a.py',
        '--launcher', 'slurm', '--cfg-options', 'a=[(1, 2)]',
    ]  # fmt: skip
    assert 12000 <= int(port.split('=')[1]) < 32000


def test_slurm_test(repo_root: Path, echo: Path, tmp_path: Path) -> None:
    done = run(
        'bash', repo_root / 'tools' / 'slurm_test.sh', 'video', 'job', 'a.py',
        'b.pth', '--dump', 'c.pkl', cwd=tmp_path, **with_path(echo),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-9:-1] == [
        '-u', f'{repo_root}/tools/test.py', 'a.py', 'b.pth',
        '--launcher', 'slurm', '--dump', 'c.pkl',
    ]  # fmt: skip


def test_dist_train(repo_root: Path, echo: Path, tmp_path: Path) -> None:
    done = run(
        'bash', repo_root / 'tools' / 'dist_train.sh', 'a.py', '2',
        '--cfg-options', 'a=[(1, 2)]',
        cwd=tmp_path, NNODES='3', NODE_RANK='1', PORT='29555',
        MASTER_ADDR='10.0.0.1', **with_path(echo),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:-1] == [
        '-m', 'torch.distributed.run', '--nnodes=3', '--node_rank=1',
        '--master_addr=10.0.0.1', '--master_port=29555', '--nproc_per_node=2',
        f'{repo_root}/tools/train.py', 'a.py', '--launcher', 'pytorch',
        '--cfg-options', 'a=[(1, 2)]',
    ]  # fmt: skip


def test_restarts(repo_root: Path, echo: Path, tmp_path: Path) -> None:
    (echo / 'python').write_text(
        '#!/bin/sh\nfor a in "$@"; do echo "$a"; done\n'
        'echo "$TORCH_DISABLE_SHARE_RDZV_TCP_STORE"\n'
    )
    done = run(
        'bash', repo_root / 'tools' / 'dist_train.sh', 'a.py', '2', '--resume',
        cwd=tmp_path, MAX_RESTARTS='3', NNODES='2', MASTER_ADDR='10.0.0.1',
        TORCHRUN_ARGS='--tee 3', **with_path(echo),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        '-m', 'torch.distributed.run', '--nnodes=2', '--rdzv-backend=c10d',
        '--rdzv-endpoint=10.0.0.1:29500', '--rdzv-id=lgd_29500',
        '--max-restarts=3', '--nproc_per_node=2', '--tee', '3',
        f'{repo_root}/tools/train.py', 'a.py', '--launcher', 'pytorch',
        '--resume', '1',
    ]  # fmt: skip


@pytest.mark.parametrize(
    'name, args',
    [
        ('dist_train.sh', ['a.py']),
        ('dist_test.sh', ['a.py', 'b.pth']),
        ('slurm_train.sh', ['video', 'job']),
        ('slurm_test.sh', ['video', 'job', 'a.py']),
    ],
)
def test_too_few_arguments(
    repo_root: Path, tmp_path: Path, name: str, args: list[str]
) -> None:
    done = run('bash', repo_root / 'tools' / name, *args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f'usage: bash tools/{name} ')


@pytest.mark.slow
@pytest.mark.parametrize(
    'args, words',
    [
        (['train.py', 'no.py'], ['no config file no.py', 'configs/']),
        (
            ['train.py', 'CONFIG'],
            [
                'data/quickstart/quickstart_train_list_videos.txt cannot be',
                'write it again with tools/data',
            ],
        ),
        (
            [
                'test.py',
                'CONFIG',
                'no.pth',
                '--cfg-options',
                'test_dataloader.dataset.ann_file=list.txt',
                'test_dataloader.dataset.data_prefix.video=.',
            ],
            ['checkpoint no.pth cannot be opened (No such file'],
        ),
        (
            [
                'train.py',
                'CONFIG',
                '--no-validate',
                '--cfg-options',
                'train_dataloader.dataset.ann_file=list.txt',
                'train_dataloader.dataset.data_prefix.video=.',
                'model.backbone.pseudo3d=XYZ',
            ],
            ['pseudo3d', 'XYZ'],
        ),
    ],
    ids=['config', 'annotation file', 'checkpoint', 'pseudo3d'],
)
def test_one_sentence_and_no_traceback(
    repo_root: Path, tmp_path: Path, args: list[str], words: list[str]
) -> None:
    (tmp_path / 'list.txt').write_text('a.mp4 0\n')
    config = str(repo_root / 'configs' / 'quickstart_lgd3d.py')
    name, *rest = (config if a == 'CONFIG' else a for a in args)
    done = run(PYTHON, repo_root / 'tools' / name, *rest, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert 'Traceback' not in done.stderr
    (line,) = [x for x in done.stderr.splitlines() if x.startswith('error: ')]
    for word in words:
        assert word in line
