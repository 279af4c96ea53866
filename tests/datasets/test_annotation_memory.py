"""The annotation of many videos is there once, not once a worker."""

from pathlib import Path

import pytest


@pytest.mark.slow
def test_workers_share_the_annotation(tmp_path: Path) -> None:
    """The full size, 500,000 videos in 8 workers: tests/soak/memory.py."""
    from tests.soak.memory import annotation_memory

    figures = annotation_memory(videos=60_000, workers=2, work_dir=tmp_path)
    # MiB; a worker with a copy of its own would grow by that
    assert figures['annotation'] == 5.5
    assert figures['worker_growth'] < 3
