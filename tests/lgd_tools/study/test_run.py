"""A study of two networks and one seed, by the command's own function."""

import json
import multiprocessing
from pathlib import Path

import pytest
import torch

from lgd_tools.study import plan as plans
from lgd_tools.study.plan import LGD, PLAIN, Plan, Run
from lgd_tools.study.report import main as report
from lgd_tools.study.run import main, read_results, run_all
from lgd_tools.study.training import told_apart, train


@pytest.mark.slow
def test_study_goes_on_where_it_was_and_reports_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch
) -> None:
    runs = tmp_path / 'runs'
    runs.mkdir()
    monkeypatch.setitem(plans.PARTS, 'tiny', ([PLAIN, LGD], (plans.FAR,)))
    plan = Plan(steps=10, seeds=(0,), rates=(0.01,), parts=('tiny',))
    # no time: nothing starts
    assert run_all(plan, runs, minutes=1e-9) == 2 == plan.total()
    assert run_all(plan, runs, only='lgd') == 1
    (kept,) = runs.glob('*.json')
    before = kept.stat().st_mtime_ns
    # what a killed run leaves is no result
    (runs / '.x.json.12345678.lgd-part').write_text('{')
    # it was spawned; a fork has everything imported
    fork = multiprocessing.get_context('fork')
    monkeypatch.setattr(multiprocessing, 'get_context', lambda _: fork)
    assert run_all(plan, runs) == 0
    assert kept.stat().st_mtime_ns == before
    results = read_results(runs)
    assert len(results) == 2
    for result in results.values():
        assert 0 <= result['told_apart'] <= 1 and result['parameters'] > 10_000
        assert [point[0] for point in result['curve']] == [10]
    said = capsys.readouterr().out.splitlines()
    assert '1 of 2 runs left' in said[0] and '0 of 2 runs left' in said[1]

    # as the whole study's seed 0, far apart
    for key, result in results.items():
        named = runs / f'{key.replace("-n10-", f"-n{Plan().steps}-")}.json'
        named.write_text(json.dumps(result))
    for variant in (PLAIN, LGD):
        for run in Plan().tuning(variant):
            loss = abs(run.lr - 0.01)
            done = {**result, 'seed': run.seed, 'test_loss': loss}
            (runs / f'{run.key}.json').write_text(json.dumps(done))
    assert report(['--runs', str(runs)]) == 0
    text = capsys.readouterr().out
    assert '14 of ' in text and '12 of them to choose' in text
    (row,) = [r for r in text.splitlines() if r.startswith('| 40 |')]
    assert row.count('(1 seed)') == 3 and '| 1.48 | no |' in row
    for name in ('distance', 'networks', 'heads', 'curves', 'clips'):
        assert (tmp_path / f'{name}.png').read_bytes()[1:4] == b'PNG'


@pytest.mark.slow
def test_equal_runs_are_equal_and_stages_switch() -> None:
    run = Run('lgd', 'two_stage', 8, 0, 0.01, steps=5)
    one, two = train(run), train(run)
    assert {**one, 'cpu_seconds': 0} == {**two, 'cpu_seconds': 0}
    assert one['accuracy'] * one['test_clips'] % 1 == 0


def test_sum_tells_half_of_the_pairs_apart_whatever_its_threshold() -> None:
    first = torch.tensor([0, 0, 1, 1]).repeat(8)
    second = torch.tensor([0, 1, 0, 1]).repeat(8)
    labels = (first == second).long()
    for f, h in ((1.0, 2.0), (-1.0, 0.3), (0.1, -5.0), (2.0, 2.0)):
        # right in 3 of 4 where the threshold is between
        scores = f * first + h * second
        assert told_apart(scores, labels) == 0.5
    assert told_apart(labels * 2.0, labels) == 1
    assert told_apart(-labels.float(), labels) == 0


def test_list(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(['--list', '--out', str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith('0 of ') and len(said) > 13
