"""Makes the tiny training run importable."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope='session')
def tiny() -> ModuleType:
    """tests/engine/tiny_run.py."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    import tiny_run

    return tiny_run


@pytest.fixture(scope='session')
def dist_run(tiny: ModuleType) -> ModuleType:
    """tests/engine/dist_run.py."""
    import dist_run

    return dist_run
