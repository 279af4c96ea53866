"""Kills at chosen and random moments; what was resumed ends the same.

tests/soak/crashes.py does the work; it runs 50 kills and more.
"""

import json
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest


def load_crashes() -> ModuleType:
    """tests/soak/crashes.py."""
    from tests.soak import crashes

    return crashes


@pytest.fixture(scope='module')
def crashes() -> ModuleType:
    return load_crashes()


@pytest.mark.slow
@pytest.mark.parametrize('processes', [1, 2])
def test_random_kills(
    crashes: ModuleType, tmp_path: Path, processes: int
) -> None:
    report = crashes.soak_crashes(
        6 if processes == 1 else 3,
        tmp_path,
        seed=processes,
        processes=processes,
        progress=False,
    )
    assert report['failures'] == []
    assert report['survived'] == report['tried'] >= 3
    assert report['lost'] == 0 and sum(report['kinds'].values()) >= 3


class Fixed:
    """Stands in for a generator of random numbers: one, or the highest."""

    def __init__(self, number: int) -> None:
        self.number = number

    def integers(self, low: int, high: int) -> int:
        return min(self.number, high - 1)


@pytest.mark.slow
def test_killed_in_a_write_and_at_the_switch(
    crashes: ModuleType, tiny: ModuleType, tmp_path: Path
) -> None:
    whole, folder = tmp_path / 'whole', tmp_path / 'killed'
    first = crashes.run(tiny, whole, 1)
    assert first.codes == [0] and not first.fault, crashes.log_of(whole)
    # the first write of the first checkpoint: half of it is on the disk
    killed = crashes.run(tiny, folder, 1, 'saving', Fixed(0))
    assert killed.codes == [-9] and not killed.fault
    (part,) = folder.glob('.epoch_1.pth.*.lgd-part')
    assert part.stat().st_size > 1000
    assert not list(folder.glob('*.pth'))
    # its rename to the name that counts is done, last_checkpoint is not:
    # write, fsync, replace, fsync of the folder, write
    assert crashes.run(tiny, folder, 1, 'saving', Fixed(4)).codes == [-9]
    assert not part.exists() and (folder / 'epoch_1.pth').is_file()
    assert not (folder / 'last_checkpoint').exists()
    # both sides of the switch
    for after in (0, 1):
        killed = crashes.run(tiny, folder, 1, 'switch', Fixed(after))
        assert killed.codes == [-9] and not killed.fault
        last = (folder / 'last_checkpoint').read_text()
        assert last == str(folder / 'epoch_2.pth')
    assert crashes.differences(tiny, whole, folder) != []
    assert crashes.run(tiny, folder, 1).codes == [0]
    assert crashes.differences(tiny, whole, folder) == []


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['saving', 'sigterm'])
@pytest.mark.parametrize('hangs', [False, True])
def test_a_start_that_fails_by_itself_is_lost(
    crashes: ModuleType,
    tiny: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    hangs: bool,
) -> None:
    """Although the run would end well when it is resumed."""

    def train(cfg: SimpleNamespace, resume: bool) -> None:
        folder = Path(cfg.work_dir)
        if folder.name.startswith('whole') or (folder / 'again').exists():
            return
        (folder / 'again').touch()
        if hangs:
            time.sleep(100)
        raise RuntimeError('a bug of the training')

    fake = SimpleNamespace(tiny_config=tiny.tiny_config, train=train)
    monkeypatch.setattr(crashes, 'load_tiny_run', lambda: fake)
    monkeypatch.setattr(crashes, 'differences', lambda *_: [])
    monkeypatch.setattr(crashes, 'KINDS', {kind: 1.0})
    monkeypatch.setattr(crashes, '_LIMIT', 3)
    report = crashes.soak_crashes(2, tmp_path, progress=False)
    numbers = [report[k] for k in ('tried', 'survived', 'lost', 'runs')]
    assert numbers == [2, 0, 2, 2]
    assert report['kinds'] == {kind: 2}
    word = 'did not end within 3 s' if hangs else 'ended with exit codes [1]'
    for failure in report['failures']:
        assert f'the start for {kind} {word}' in failure


@pytest.mark.parametrize(
    'kind, codes, struck, alone, well',
    [
        (None, [0, 0], [], [], True),
        (None, [-9], [], [], False),
        # it was over before the kill, but not for all ranks
        ('moment', [0, 0], [0], [], True),
        ('moment', [0, 1], [0], [], False),
        ('moment', [-9, 1], [0], [], True),
        ('saving', [1], [0], [], False),
        ('saving', [-11], [0], [], False),
        # rank 1 crashed, for which rank 0 was ended
        ('switch', [-9, -11], [1], [], False),
        ('sigterm', [85, 85], [1], [], True),
        ('sigterm', [-15], [0], [], False),
        ('sigterm', [-9], [0], [], False),
        ('sigterm', [85, 0], [0], [0], False),
        # only during validation a rank leaves without the others
        ('sigterm', [85, 1], [0], [0], True),
        ('sigterm', [85, 1], [0], [], False),
        ('sigterm', [1, 85], [0], [0], False),
        ('sigterm', [1, 1], [0], [0], False),
    ],
)
def test_what_a_kill_explains(
    crashes: ModuleType,
    kind: str | None,
    codes: list[int],
    struck: list[int],
    alone: list[int],
    well: bool,
) -> None:
    args = kind, codes, set(struck), set(alone)
    assert (crashes.fault_of(*args, False) == '') is well
    assert 'did not end' in crashes.fault_of(*args, True)


def test_differences_are_seen(
    crashes: ModuleType, tiny: ModuleType, tmp_path: Path
) -> None:
    def lay_out(name: str, loss: float, weight: float) -> Path:
        import torch

        folder = tmp_path / name
        logs = folder / '20260101_000000' / 'vis_data'
        logs.mkdir(parents=True)
        entry = dict(loss=loss, step=1, time=np.random.rand())
        (logs / 'scalars.json').write_text(json.dumps(entry) + '\n{"torn')
        torch.save(
            dict(
                state_dict=dict(w=torch.tensor(weight)),
                meta=dict(epoch=1, iter=2),
            ),
            folder / 'epoch_1.pth',
        )
        return folder

    a, b = lay_out('a', 1.0, 2.0), lay_out('b', 1.0, 2.0)
    assert crashes.differences(tiny, a, b) == []
    c = lay_out('c', 1.5, 3.0)
    assert crashes.differences(tiny, a, c) == [
        'state_dict of epoch_1.pth',
        "metrics of [('train', 1)]",
    ]
    (b / '.epoch_2.pth.abc.lgd-part').touch()
    (found,) = crashes.differences(tiny, a, b)
    assert 'lgd-part' in found
