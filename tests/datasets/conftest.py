"""Fixtures of the tests of reading data."""

import os
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope='session')
def corpus_module() -> ModuleType:
    """tests/datasets/hostile_corpus.py."""
    from tests.datasets import hostile_corpus

    return hostile_corpus


@pytest.fixture(scope='session')
def real_clips() -> Path | None:
    """The folder of real clips, or None: the generated ones go on alone."""
    root = Path(__file__).resolve().parents[2]
    default = root.parent / 'shared' / 'data'
    folder = Path(os.environ.get('LGD_SHARED_DATA', default)) / 'smoke'
    return folder if folder.is_dir() else None


@pytest.fixture(scope='session')
def clips(
    corpus_module: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Whole generated clips, one of each container."""
    return corpus_module.base_clips(tmp_path_factory.mktemp('clips'))
