"""The stock interfaces of the installed mmaction2, run for real.

A small LGD-3D learns two classes of generated clips through both stages. What
runs here are the scripts and functions of the installed packages themselves,
in processes of their own, with nothing patched: the config's
``custom_imports`` is all they know of this package.
"""

import os
import pickle
import shutil
import sys
from pathlib import Path

import pytest
import torch

from lgd_mmaction.launch.stock_tools import stock_tools_dir
from tests.stock_tools.conftest import Trained, run, top1
from tests.warm import PYTHON

# one worker trains once for all of them
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('stock_tools')]


def test_stock_train_runs_both_stages(trained: Trained) -> None:
    assert trained.checkpoint.is_file()
    first, second = (
        ''.join(
            line
            for line in trained.log.splitlines()
            if f'Epoch(train) [{epoch}]' in line
        )
        for epoch in (1, 2)
    )
    assert 'loss_local' in first and 'loss_global' in first
    assert 'loss_cls' not in first
    # (mmengine goes on to print the last value of the others)
    assert 'loss_cls' in second


def test_stock_test_multi_clip(trained: Trained, tmp_path: Path) -> None:
    script = stock_tools_dir() / 'test.py'
    dump = tmp_path / 'scores.pkl'
    done = run(
        PYTHON,
        script,
        trained.config,
        trained.checkpoint,
        '--work-dir',
        tmp_path,
        '--dump',
        dump,
        cwd=tmp_path,
    )
    rows = pickle.loads(dump.read_bytes())
    assert len(rows) == 4
    right = sum(
        int(row['pred_score'].argmax() == row['gt_label']) for row in rows
    )
    assert top1(done.stdout + done.stderr) == pytest.approx(right / 4)
    # one view at a time (max_testing_views) gives the same scores
    views = tmp_path / 'views.pkl'
    run(
        PYTHON,
        script,
        trained.config,
        trained.checkpoint,
        '--work-dir',
        tmp_path,
        '--dump',
        views,
        '--cfg-options',
        'model.test_cfg.max_testing_views=1',
        cwd=tmp_path,
    )
    for one, other in zip(rows, pickle.loads(views.read_bytes()), strict=True):
        torch.testing.assert_close(
            one['pred_score'], other['pred_score'], atol=1e-5, rtol=0
        )


def test_stock_resume(trained: Trained, tmp_path: Path) -> None:
    """Resumed after stage 1, it ends with the weights of one run."""
    shutil.copy(trained.checkpoint.with_name('epoch_1.pth'), tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    done = run(
        PYTHON,
        stock_tools_dir() / 'train.py',
        trained.config,
        '--work-dir',
        tmp_path,
        '--resume',
        cwd=tmp_path,
    )
    assert 'resumed epoch: 1' in done.stdout + done.stderr
    whole = torch.load(trained.checkpoint)['state_dict']
    resumed = torch.load(tmp_path / 'epoch_2.pth')['state_dict']
    assert whole.keys() == resumed.keys()
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key


@pytest.fixture(scope='module')
def our_scores(
    trained: Trained,
    repo_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> torch.Tensor:
    """What tools/test.py dumps, in the order of the list."""
    folder = tmp_path_factory.mktemp('ours')
    run(
        *(PYTHON, repo_root / 'tools' / 'test.py'),
        *(trained.config, trained.checkpoint, '--work-dir', folder),
        *('--dump', folder / 'scores.pkl'),
        cwd=folder,
    )
    return scores_of(folder / 'scores.pkl')


def scores_of(path: Path) -> torch.Tensor:
    rows = pickle.loads(path.read_bytes())
    return torch.stack([row['pred_score'] for row in rows])


def test_own_scripts_are_the_stock_ones(
    trained: Trained,
    our_scores: torch.Tensor,
    repo_root: Path,
    tmp_path: Path,
) -> None:
    """tools/test.py gives the stock test.py's result and its --help."""
    run(
        PYTHON,
        stock_tools_dir() / 'test.py',
        *(trained.config, trained.checkpoint, '--work-dir', tmp_path),
        *('--dump', tmp_path / 'stock.pkl'),
        cwd=tmp_path,
    )
    assert our_scores.shape == (4, 2)
    assert torch.equal(our_scores, scores_of(tmp_path / 'stock.pkl'))
    for name in ('train.py', 'test.py'):
        ours, stock = (
            run(PYTHON, tools / name, '--help', cwd=tmp_path)
            for tools in (repo_root / 'tools', stock_tools_dir())
        )
        assert stock.stdout.startswith('usage: ')
        assert ours.stdout.endswith(stock.stdout)
        assert ours.stdout.startswith(('Train', 'Test'))  # with an example


def test_dist_test(
    trained: Trained,
    our_scores: torch.Tensor,
    repo_root: Path,
    tmp_path: Path,
) -> None:
    """Two processes over gloo see each clip once and agree with one."""
    import socket

    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    run(
        *('bash', repo_root / 'tools' / 'dist_test.sh'),
        *(trained.config, trained.checkpoint, '2', '--work-dir', tmp_path),
        *('--dump', tmp_path / 'two.pkl'),
        cwd=tmp_path,
        PORT=str(port),
        PYTHON=PYTHON,
    )
    two = scores_of(tmp_path / 'two.pkl')
    torch.testing.assert_close(our_scores, two, atol=1e-5, rtol=0)


@pytest.fixture(scope='session')
def mim(
    tmp_path_factory: pytest.TempPathFactory, repo_root: Path
) -> tuple[Path, Path]:
    """The command ``mim`` and a folder with our wheel installed in it.

    mim looks for a package beside its metadata, where an editable install
    has none of its files.
    """
    command = Path(os.environ.get('LGD_MIM', Path(sys.prefix) / 'bin' / 'mim'))
    if not command.is_file():
        pytest.skip(
            f'there is no {command}; make it with: '
            'bash tools/setup_env.sh full test'
        )
    folder = tmp_path_factory.mktemp('mim')
    shutil.copytree(
        repo_root,
        folder / 'repo',
        symlinks=True,
        ignore=shutil.ignore_patterns(
            '.git', '.venv', 'data', 'work_dirs', '*.egg-info', 'build'
        ),
    )
    run(
        sys.executable,
        '-m',
        'pip',
        'install',
        '--no-deps',
        '--no-build-isolation',
        '--target',
        folder / 'site',
        folder / 'repo',
        cwd=folder,
    )
    return command, folder / 'site'


def test_mim_train_and_test(
    mim: tuple[Path, Path], small_config: Path, tmp_path: Path
) -> None:
    """``mim train lgd_mmaction``, ``mim test`` of both packages."""
    command, site = mim
    env = {
        'PYTHONPATH': str(site),
        'PATH': f'{command.parent}{os.pathsep}{os.environ["PATH"]}',
    }
    done = run(
        command,
        'train',
        'lgd_mmaction',
        small_config,
        '--gpus',
        '0',
        '--work-dir',
        tmp_path,
        cwd=tmp_path,
        **env,
    )
    assert 'Training finished successfully' in done.stdout
    assert str(site / 'lgd_mmaction' / '.mim' / 'tools') in done.stdout
    results = []
    for package in ('lgd_mmaction', 'mmaction2'):
        done = run(
            PYTHON,
            command,
            'test',
            package,
            small_config,
            '--checkpoint',
            tmp_path / 'epoch_2.pth',
            '--gpus',
            '0',
            '--work-dir',
            tmp_path / package,
            cwd=tmp_path,
            **env,
        )
        assert 'Testing finished successfully' in done.stdout
        results.append(top1(done.stdout + done.stderr))
    assert results[0] == results[1]
