"""The files of a small J-HMDB."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., list]:
    """Arguments for box files and splits, made from a truth."""

    from tests.lgd_tools.tubes.jhmdb_files import (
        HEIGHT,
        WIDTH,
        truth,
        write_boxes,
        write_splits,
    )

    def make(boxes: dict | None = None, **kwargs: object) -> list:
        splits = write_splits(tmp_path / 'splits', **kwargs)
        folder = write_boxes(
            tmp_path / 'boxes', truth() if boxes is None else boxes
        )
        size = f'{WIDTH}x{HEIGHT}'
        return ['--annotations', splits, '--boxes', folder, '--size', size]

    return make
