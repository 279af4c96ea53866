"""The order of the runs, and the choice of the learning rate."""

from lgd_tools.study.plan import LGD, PARTS, PLAIN, TUNING_SEED, Plan, Run
from lgd_tools.study.training import learning_rate


def finished(runs: list[Run], loss=lambda run: 0.5) -> dict[str, dict]:
    return {
        run.key: {'test_loss': loss(run), 'told_apart': 0.5} for run in runs
    }


def test_tuning_comes_first_and_its_seed_is_not_reported():
    plan = Plan(parts=('distance',))
    first = plan.missing({})
    assert {run.seed for run in first} == {TUNING_SEED}
    assert TUNING_SEED not in plan.seeds
    budgets = [len(plan.tuning(variant)) for variant in (PLAIN, LGD)]
    assert budgets == [6, 6] and len(first) == 12
    assert plan.total() == 12 + 2 * len(PARTS['distance'][1]) * 5


def test_rate_of_the_lowest_loss_is_taken_once_all_are_there():
    plan = Plan(parts=('distance',))
    runs = plan.tuning(LGD)
    results = finished(runs, lambda run: abs(run.lr - 1e-2))
    assert plan.rate(LGD, results) == 1e-2
    assert plan.rate(PLAIN, results) is None
    results.pop(runs[0].key)
    assert plan.rate(LGD, results) is None


def test_every_run_comes_once_until_none_is_left():
    plan, results, keys = Plan(), {}, []
    while runs := plan.missing(results):
        results |= finished(runs)
        keys += [run.key for run in runs]
    assert len(keys) == len(set(keys)) == plan.total() == len(results)
    assert plan.keys(results) == results.keys()
    # the first reported pair is plain against LGD, farthest apart
    first = [k for k in keys if f's{TUNING_SEED}' not in k][:2]
    assert ['-'.join(k.split('-')[1:4]) for k in first] == [
        'plain-local-d40',
        'lgd-both-d40',
    ]
    assert all(PLAIN in variants for variants, _ in PARTS.values())


def test_learning_rate_warms_up_then_falls_to_nothing():
    rates = [learning_rate(step, 100) for step in range(100)]
    assert rates[0] == 0.1 and rates[9] == rates[10] == 1
    assert rates[55] == 0.5 and rates[99] < 1e-3
    assert rates[10:] == sorted(rates[10:], reverse=True)
