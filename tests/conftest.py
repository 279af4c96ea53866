"""Fixtures and settings that every test shares."""

import atexit
import gc
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# before numpy and torch: two workers share few cores
os.environ.setdefault('OMP_NUM_THREADS', '1')
# pictures are written, never shown
os.environ.setdefault('MPLBACKEND', 'Agg')

import pytest

from tests import warm

REPO = Path(__file__).resolve().parents[1]

if 'LGD_TESTS_PYTHON' not in os.environ:  # as in a worker of xdist
    _folder = tempfile.TemporaryDirectory()
    atexit.register(_folder.cleanup)
    warm.start(_folder.name)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption('numprocesses', None):  # this process runs tests
        import torch

        import lgd_mmaction  # noqa: F401  (applies the upstream fixes)

        torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # the long ones first: no worker waits at the end for another's
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)


def pytest_collection_finish() -> None:
    # mmengine collects garbage for every data set: not among all modules
    gc.freeze()


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    """Seeds and default scope before every test, no data workers after."""
    import numpy as np
    import torch
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    yield
    # a run of the same second would write to this one's console
    MMLogger._instance_dict.clear()
    # Data workers that an error left: whatever collects the garbage later
    # would wait 5 s for each. torch's handler would call their end an error.
    left = [p for p in multiprocessing.active_children() if p.daemon]
    if left:
        stock = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for process in left:
            process.kill()
            process.join()
        signal.signal(signal.SIGCHLD, stock)


@pytest.fixture(scope='session')
def repo_root() -> Path:
    """The root of the repository."""
    return REPO


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """The folder of real clips and annotation files; skips without it."""
    default = REPO.parent / 'shared' / 'data'
    folder = Path(os.environ.get('LGD_SHARED_DATA', default))
    if not (folder / 'smoke').is_dir():
        pytest.skip(
            f'no real data in {folder}; set LGD_SHARED_DATA to the folder '
            'that holds smoke/ and annotations/'
        )
    return folder


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Callable[..., str]:
    """What tools/train.py or test.py says before it ends with code 2."""
    from lgd_mmaction.launch.stock_tools import run_stock_tool

    def run(tool: str, *options: object) -> str:
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, options)])
        with pytest.raises(SystemExit) as end:
            run_stock_tool(tool)
        said = capsys.readouterr().err.strip()
        assert end.value.code == 2
        assert said.startswith('error: ') and '\n' not in said
        return said

    return run
