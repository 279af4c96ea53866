"""Reading leaves nothing behind in the process that reads."""

import gc
import os
import resource
from pathlib import Path

import pytest

from lgd_mmaction.video import BrokenVideoError, Video
from tests.datasets import hostile_corpus
from tests.soak.memory import clip_memory
from tests.soak.reading import outcome_of


@pytest.mark.slow
def test_hostile_files_leave_nothing(tmp_path: Path) -> None:
    """Open files, threads and memory, after the whole corpus."""
    cases = hostile_corpus.build(tmp_path / 'corpus')
    outcome_of(cases[0])
    files = len(os.listdir('/proc/self/fd'))
    threads = len(os.listdir('/proc/self/task'))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert 'wrong' not in {outcome_of(case) for case in cases}
    gc.collect()  # an error may keep a reader until then
    assert len(os.listdir('/proc/self/fd')) <= files
    assert len(os.listdir('/proc/self/task')) <= threads
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert grown < 200 << 10  # KiB


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    """600 clips; the soak test reads 20,000."""
    assert clip_memory(600, tmp_path)['slope'] < 2  # MiB in 1000 reads


def test_limit_of_memory(tmp_path: Path) -> None:
    """One frame that is repeated takes the memory of many."""
    path = hostile_corpus.write(tmp_path / 'a.mp4', frames=4)
    with Video(path, memory_limit=1 << 20) as video:
        for numbers in (range(4), [0] * 4):
            assert len(video.frames(numbers)) == 4
        with pytest.raises(BrokenVideoError, match='memory_limit'):
            video.frames([0] * 200)
