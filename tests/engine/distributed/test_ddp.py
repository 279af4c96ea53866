"""Two processes (gloo) against one, gradient by gradient."""

from pathlib import Path
from types import ModuleType

import pytest
import torch

# one worker runs the processes once for all of them
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('ddp')]
# a module's fixtures would be made anew at each change of a parameter
_FINISHED: dict[bool, tuple[Path, Path]] = {}


@pytest.fixture(params=[False, True], ids=['', 'with_cp'])
def runs(
    request: pytest.FixtureRequest,
    dist_run: ModuleType,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path]:
    """The same 2 epochs, 1 in each stage, in one process and in two.

    The two processes once with gradient checkpointing, which is no friend of
    parameters without gradient either.
    """
    if request.param not in _FINISHED:
        folder = tmp_path_factory.mktemp('ddp')
        _FINISHED[request.param] = train_twice(
            folder, dist_run, with_cp=request.param
        )
    return _FINISHED[request.param]


def train_twice(
    folder: Path, dist_run: ModuleType, with_cp: bool
) -> tuple[Path, Path]:
    """The work directories of one process and of two."""
    one, two = (
        dist_run.distributed_config(
            folder / name, batch_size, hooks=(dict(type='RecordHook'),)
        )
        for name, batch_size in (('one', 4), ('two', 2))
    )
    two.model.backbone.with_cp = with_cp
    dist_run.train(one)
    # DDP's error about parameters without gradient would end up here
    dist_run.World(2, dist_run.train, two).results()
    return folder / 'one', folder / 'two'


def test_gradients_of_both_stages(runs: tuple[Path, Path]) -> None:
    one = torch.load(runs[0] / 'steps_0.pth')
    for rank in (0, 1):
        two = torch.load(runs[1] / f'steps_{rank}.pth')
        assert [s['stage'] for s in one] == [1, 1, 2, 2]
        assert [s['stage'] for s in two] == [1, 1, 2, 2]
        # the first step of each stage
        for step in (0, 2):
            a, b = one[step]['grads'], two[step]['grads']
            assert max(g.abs().max() for g in a.values()) > 0.01
            for name, grad in a.items():
                assert (grad - b[name]).abs().max() < 1e-5, name
            # what one process does not train, two must not move either
            for name in b.keys() - a.keys():
                assert 'cls_head.fc_' in name
                assert b[name].abs().max() == 0


def test_weights_at_the_end(runs: tuple[Path, Path], tiny: ModuleType) -> None:
    for epoch, stage in ((1, 1), (2, 2)):
        a, b = (tiny.checkpoint(r, epoch)['state_dict'] for r in runs)
        assert a.keys() == b.keys()
        assert a['cls_head.stage'] == b['cls_head.stage'] == stage
        for key in a:
            torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-5)


def test_idle_classifiers_get_no_weight_decay(
    runs: tuple[Path, Path], tiny: ModuleType
) -> None:
    after_1, after_2 = (
        tiny.checkpoint(runs[1], epoch)['state_dict'] for epoch in (1, 2)
    )
    for name in ('local', 'global'):
        key = f'cls_head.fc_{name}.weight'
        assert torch.equal(after_1[key], after_2[key])
    key = 'cls_head.fc_sketch.weight'
    assert not torch.equal(after_1[key], after_2[key])
