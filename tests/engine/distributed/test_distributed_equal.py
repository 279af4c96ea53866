"""Any number of processes takes the steps of one."""

from pathlib import Path
from types import ModuleType

import pytest
import torch

# one worker trains the single process once for all of them
pytestmark = pytest.mark.xdist_group('distributed_equal')


@pytest.fixture(scope='module')
def one(
    dist_run: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict]]:
    """Two epochs of two steps of 4 clips, 1 in each stage, in one process."""
    folder = tmp_path_factory.mktemp('one')
    return folder, dist_run.train(dist_run.distributed_config(folder, 4))


def assert_same_steps(one: list[dict], ranks: list[list[dict]]) -> None:
    assert [s['stage'] for s in one] == [1, 1, 2, 2]
    # the network moves, so that equal losses say something
    assert abs(one[0]['loss'] - one[1]['loss']) > 1e-3
    for i, step in enumerate(one):
        steps = [r[i] for r in ranks]
        assert sorted(sum((s['clips'] for s in steps), [])) == step['clips']
        assert {s['stage'] for s in steps} == {step['stage']}
        for s in steps:
            assert abs(s['loss_of_all'] - step['loss']) < 1e-5
        # each rank has a part of the batch, not all of it
        assert max(abs(s['loss'] - step['loss']) for s in steps) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize('size', [2, 4])
def test_losses_and_weights(
    dist_run: ModuleType,
    tiny: ModuleType,
    one: tuple[Path, list[dict]],
    tmp_path: Path,
    size: int,
) -> None:
    cfg = dist_run.distributed_config(tmp_path, 4 // size)
    ranks = dist_run.World(size, dist_run.train, cfg).results()
    assert_same_steps(one[1], ranks)
    a, b = (tiny.checkpoint(f, 2)['state_dict'] for f in (one[0], tmp_path))
    assert a.keys() == b.keys()
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('with_cp', [False, True], ids=['', 'with_cp'])
def test_sync_bn(
    dist_run: ModuleType,
    tiny: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    with_cp: bool,
) -> None:
    from tests.engine import sync_bn_cpu

    sync_bn_cpu.allow(monkeypatch)

    def config(name: str, batch_size: int) -> object:
        return dist_run.distributed_config(
            tmp_path / name, batch_size, norm_eval=False
        )

    one = dist_run.train(config('one', 4))
    cfg = config('two', 2)
    cfg.sync_bn = 'torch'
    cfg.model.backbone.with_cp = with_cp
    two = dist_run.World(2, dist_run.train, cfg).results()
    assert_same_steps(one, two)
    a, b = (
        tiny.checkpoint(tmp_path / n, 2)['state_dict'] for n in ('one', 'two')
    )
    averages = [k for k in a if k.endswith(('running_mean', 'running_var'))]
    assert len(averages) == 40
    for key in averages:
        torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-5)
    # and each rank's own statistics would have told
    cfg = config('apart', 2)
    apart = dist_run.World(2, dist_run.train, cfg).results()
    assert abs(apart[0][0]['loss_of_all'] - one[0]['loss']) > 1e-3
