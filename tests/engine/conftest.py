"""The tiny training runs."""

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
