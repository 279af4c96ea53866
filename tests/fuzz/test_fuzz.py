"""tests/fuzz finds faults that were planted, and none in the parsers."""

import random
from pathlib import Path

import pytest

from tests.fuzz import __main__ as fuzz
from tests.fuzz import planted_faults
from tests.fuzz.engine import Runner, mutated, structured
from tests.fuzz.target import Escape, mutate

NAMES = list(fuzz.all_targets())


@pytest.mark.slow
def test_planted_faults_are_found_told_apart_and_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    targets = planted_faults.targets()
    table, failures = fuzz.fuzz(
        list(targets.values()),
        inputs=60,
        workers=2,
        time_limit=1,
        memory=32,
        load=planted_faults.targets,
    )
    kinds = {f.target: f.kind for f in failures}
    assert kinds == {
        'wrong': 'KeyError',
        'large': 'Memory',
        'crash': 'Crash',
        'hang': 'Hang',
    }
    assert table['good']['inputs'] == 12
    assert table['good']['failed'] == 0
    assert table['wrong']['failed'] > 2  # one cause is kept once
    assert sum(f.target == 'wrong' for f in failures) == 1
    # made shorter: the word of 54 bytes is left
    wrong = next(f for f in failures if f.target == 'wrong')
    assert wrong.data == b'<k!>'
    assert wrong.where == 'planted_faults.py:17 in parse'
    assert fuzz.report(failures, tmp_path) == 1
    assert 'FAILED crash: Crash' in capsys.readouterr().out
    saved = next(tmp_path.glob('wrong-*.bin'))
    again = fuzz.replay(saved, targets, 5, 256)
    assert again is not None and again.kind == 'KeyError'


def test_the_same_seed_gives_the_same_inputs() -> None:
    target = fuzz.all_targets()['kinetics_csv']
    one, two, other = (list(mutated(target, 50, seed)) for seed in (1, 1, 2))
    assert one == two != other
    assert len(set(one)) > 40
    rng = random.Random(0)
    assert len(mutate(b'a' * 10**6, rng, target)) <= 20_000
    shared = fuzz.plan(list(fuzz.all_targets().values()), 100_000)
    assert 100_000 <= sum(count for _, count, _ in shared) < 100_100


def test_what_is_written_outside_of_the_output_is_seen(
    tmp_path: Path,
) -> None:
    from tests.fuzz.list_targets import check_output

    (tmp_path / 'in').mkdir()
    (tmp_path / 'out').mkdir()
    check_output(tmp_path, [])
    listed = tmp_path / 'out' / 'x_videos.txt'
    listed.write_text('a/../../b.avi 0\n')
    with pytest.raises(Escape, match=r'lists .a/\.\./\.\./b'):
        check_output(tmp_path, [])
    listed.unlink()
    (tmp_path / 'up').touch()
    with pytest.raises(Escape, match='outside of --out'):
        check_output(tmp_path, [])


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_no_input_ends_in_a_traceback(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """About 2,000 inputs in all; tests/fuzz --inputs 100000 runs more."""
    target = fuzz.all_targets()[name]
    runner = Runner(tmp_path, time_limit=20, memory=256)
    failures, count = [], 0

    def use(data: bytes) -> None:
        nonlocal count
        count += 1
        failures.append(runner.run(target, data))

    for data in mutated(target, 52, 0):
        use(data)
    if target.strategy:
        structured(target, 20, 0, use)
    found = [str(f) for f in failures if f]
    assert not found, found[0]
    assert count >= 52
    # valid files are among them, and are taken
    if name not in ('experiment_lists', 'folder_names'):
        target.run(target.seeds[0], _fresh(tmp_path))


def _fresh(folder: Path) -> Path:
    path = folder / 'seed'
    path.mkdir()
    return path


def test_wrong_arguments_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(fuzz.ToolError, match='no target is called x'):
        fuzz.main(['--targets', 'x'])
    with pytest.raises(fuzz.ToolError, match='there is no input'):
        fuzz.main(['--replay', str(tmp_path / 'tubes-1.bin')])
    (tmp_path / 'none-1.bin').touch()
    with pytest.raises(fuzz.ToolError, match='names no target'):
        fuzz.main(['--replay', str(tmp_path / 'none-1.bin')])
