"""The tiny training runs."""

import shutil
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope='session')
def tiny() -> ModuleType:
    """tests/engine/tiny_run.py."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    from tests.engine import tiny_run

    return tiny_run


@pytest.fixture(scope='session')
def dist_run(tiny: ModuleType) -> ModuleType:
    """tests/engine/dist_run.py."""
    from tests.engine import dist_run

    return dist_run


@pytest.fixture(scope='session')
def whole(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four epochs, the last two checkpoints and the best one kept."""
    folder = tmp_path_factory.mktemp('whole')
    tiny.train(tiny.tiny_config(folder, safe=True, validate=True))
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """The same in a folder of its own: a moved work directory."""
    return Path(shutil.copytree(whole, tmp_path / 'copy'))
