"""The loop that runs in child processes."""

import multiprocessing
import os
import signal
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from lgd_mmaction.detection import evaluate_tubes, video_map
from lgd_mmaction.detection.forked import map_forked, usable_cores
from tests.detection import cases


def test_order_and_processes() -> None:
    base = 10
    found = map_forked(lambda x: (x + base, os.getpid()), range(20), 2)
    assert [value for value, _ in found] == list(range(10, 30))
    pids = {pid for _, pid in found}
    assert os.getpid() not in pids and 1 <= len(pids) <= 2
    alone = map_forked(lambda x: os.getpid(), range(3), 1)
    assert alone == [os.getpid()] * 3


def test_an_exception_reaches_the_caller() -> None:
    def fail(x: int) -> float:
        return 1 / (x - 2)

    with pytest.raises(ZeroDivisionError):
        map_forked(fail, range(4), 2)
    # and the next loop works
    assert map_forked(abs, [-1, -2], 2) == [1, 2]


def test_a_child_that_dies_is_an_error() -> None:
    with pytest.raises(BrokenProcessPool):
        map_forked(lambda x: os.kill(os.getpid(), 9), range(4), 2)


def test_signals_of_a_job_are_the_parents() -> None:
    heard = []
    old = signal.signal(signal.SIGTERM, lambda *_: heard.append(os.getpid()))
    try:

        def work(x: int) -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            return x

        assert map_forked(work, range(4), 2) == [0, 1, 2, 3]
        assert heard == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [os.getpid()]
    finally:
        signal.signal(signal.SIGTERM, old)


def _cores(out: multiprocessing.Queue) -> None:
    out.put(usable_cores())


def test_a_daemon_works_alone() -> None:
    assert usable_cores() >= 1
    context = multiprocessing.get_context('fork')
    out = context.Queue()
    child = context.Process(target=_cores, args=(out,), daemon=True)
    child.start()
    assert out.get(timeout=60) == 1
    child.join()


def test_measures_do_not_depend_on_the_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = set()
    for seed in range(6):
        case = cases.random_case(np.random.default_rng(seed))
        arguments = cases.as_table(case), cases.as_annotations(case), 1
        reports = []
        for cores in (1, 3):
            monkeypatch.setattr(video_map, 'usable_cores', lambda n=cores: n)
            reports.append(evaluate_tubes(*arguments).metrics())
        assert reports[0] == reports[1]
        found.add(reports[0]['video_mAP@0.2'])
    assert len(found) > 2
