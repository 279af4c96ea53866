"""tests/soak adds up what its parts say, and says when one lost."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def soak() -> ModuleType:
    """tests/soak/__main__.py."""
    from tests.soak import __main__

    return __main__


class Part:
    """Stands in for a part: what each call gets, what each call says."""

    def __init__(self, *found: Any) -> None:
        self.found = list(found)
        self.calls: list[tuple] = []

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self.calls.append((*args, kwargs))
        found = self.found.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found


GOOD = dict(name='x', tried=5, survived=5, lost=0, failures=[], figures={})
BAD = dict(tried=4, survived=3, lost=1, failures=['run_1: gone'], seconds=2)


def use(
    monkeypatch: pytest.MonkeyPatch, soak: ModuleType, **parts: Part
) -> None:
    monkeypatch.setattr(soak, 'load_part', parts.__getitem__)


def test_one_round_of_each_part(
    soak: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    parts = {name: Part(dict(GOOD)) for name in soak.ROUND}
    use(monkeypatch, soak, **parts)
    args = ['--minutes', '0', '--work-dir', str(tmp_path), '--seed', '3']
    assert soak.main([*args, '--round', 'crashes=7']) == 0
    assert parts['reading'].calls == [(60, tmp_path / 'reading', 3, {})]
    assert parts['memory'].calls == [(20000, tmp_path / 'memory', 3, {})]
    assert parts['crashes'].calls == [
        (7, tmp_path / 'crashes', 3, {'processes': 2})
    ]
    assert parts['distributed'].calls == [(5, tmp_path / 'distributed', 3, {})]
    report = json.loads((tmp_path / 'soak.json').read_text())
    assert set(report['parts']) == set(soak.ROUND)
    assert '| crashes | 1 | 5 | 5 | 0 |' in (tmp_path / 'soak.md').read_text()
    assert '| crashes | 1 | 5 | 5 | 0 |' in capsys.readouterr().out


def test_rounds_until_the_time_is_up_and_a_loss(
    soak: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    part = Part(dict(GOOD), dict(BAD), dict(GOOD))
    use(monkeypatch, soak, memory=part)
    now = iter(range(0, 10_000, 10))
    monkeypatch.setattr(soak.time, 'monotonic', lambda: next(now))
    args = ['--minutes', '2', '--only', 'memory', '--work-dir', str(tmp_path)]
    # a clock that moves 10 s at each look: 40 s a round
    assert soak.main(args) == 1
    assert [call[2] for call in part.calls] == [0, 1, 2]
    report = json.loads((tmp_path / 'soak.json').read_text())['parts']
    assert report['memory']['rounds'] == 3
    numbers = [report['memory'][k] for k in ('tried', 'survived', 'lost')]
    assert numbers == [14, 13, 1]
    assert report['memory']['failures'] == ['seed 1: run_1: gone']
    # keys of a part that the report does not know are figures
    assert report['memory']['figures'][1] == {'seconds': 2}
    assert '- seed 1: run_1: gone' in (tmp_path / 'soak.md').read_text()


def test_a_part_that_breaks_off_is_a_loss(
    soak: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(
        monkeypatch,
        soak,
        reading=Part(RuntimeError('no disk')),
        memory=Part(dict(GOOD)),
    )
    args = ['--minutes', '0', '--only', 'reading,memory']
    assert soak.main([*args, '--work-dir', str(tmp_path)]) == 1
    parts = json.loads((tmp_path / 'soak.json').read_text())['parts']
    assert parts['reading']['failures'] == [
        'seed 0: it broke off: RuntimeError: no disk'
    ]
    assert parts['memory']['lost'] == 0


def test_ctrl_c_leaves_the_report_so_far(
    soak: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(
        monkeypatch,
        soak,
        reading=Part(dict(GOOD)),
        memory=Part(KeyboardInterrupt()),
    )
    args = ['--minutes', '9', '--only', 'reading,memory']
    assert soak.main([*args, '--work-dir', str(tmp_path)]) == 130
    report = json.loads((tmp_path / 'soak.json').read_text())
    assert report['interrupted'] and list(report['parts']) == ['reading']
    assert 'Interrupted' in (tmp_path / 'soak.md').read_text()


def test_parts_that_count_faults_and_list_files(
    soak: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = dict(faults=3, survived=2, lost=1, lost_files=['a.mp4'])
    promise = dict(faults=2, survived=1, lost=1, slope=3.5)
    use(monkeypatch, soak, reading=Part(files), memory=Part(promise))
    args = ['--minutes', '0', '--only', 'reading,memory']
    assert soak.main([*args, '--work-dir', str(tmp_path)]) == 1
    parts = json.loads((tmp_path / 'soak.json').read_text())['parts']
    assert parts['reading']['tried'] == 3
    assert parts['reading']['failures'] == ['seed 0: a.mp4']
    assert parts['memory']['failures'] == ['seed 0: 1 lost, see the figures']
    assert parts['memory']['figures'] == [{'slope': 3.5}]


@pytest.mark.parametrize(
    'args, word',
    [
        (['--only', 'reading,sleeping'], "'sleeping' is no part"),
        (['--round', 'crashes=0'], "'crashes=0' is not like"),
        (['--minutes', 'nan'], "'nan' is not a time"),
    ],
)
def test_bad_arguments(
    soak: ModuleType,
    capsys: pytest.CaptureFixture,
    args: list[str],
    word: str,
) -> None:
    with pytest.raises(SystemExit) as stop:
        soak.main(args)
    assert stop.value.code == 2
    assert word in capsys.readouterr().err


@pytest.mark.slow
def test_a_rank_is_killed_and_the_run_resumed(
    soak: ModuleType, tmp_path: Path
) -> None:
    args = ['--only', 'distributed', '--round', 'distributed=1']
    assert (
        soak.main([*args, '--minutes', '0', '--work-dir', str(tmp_path)]) == 0
    )
    report = json.loads((tmp_path / 'soak.json').read_text())
    part = report['parts']['distributed']
    assert [part[k] for k in ('tried', 'survived', 'lost')] == [1, 1, 0]
    assert sys.modules['tests.engine.dist_run'].__file__.endswith(
        'dist_run.py'
    )
