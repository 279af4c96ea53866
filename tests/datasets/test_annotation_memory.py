"""The annotation of many videos is there once, not once a worker."""

import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_workers_share_the_annotation(repo_root: Path, tmp_path: Path) -> None:
    """The full size, 500,000 videos in 8 workers: tools/soak/memory.py."""
    sys.path.insert(0, str(repo_root / 'tools' / 'soak'))
    try:
        from memory import annotation_memory
    finally:
        sys.path.pop(0)
    figures = annotation_memory(videos=60_000, workers=2, work_dir=tmp_path)
    # MiB; a worker with a copy of its own would grow by that
    assert figures['annotation'] == 5.5
    assert figures['worker_growth'] < 3
