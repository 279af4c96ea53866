"""What a far object changes: exactly nothing without a global path."""

from pathlib import Path

import pytest

from lgd_tools.study.influence import LEFT, influence, main, pairs
from lgd_tools.study.networks import build, receptive_field
from lgd_tools.study.plan import FAR
from lgd_tools.study.task import SIDE


@pytest.mark.slow
def test_pairs_differ_in_the_right_object_alone() -> None:
    one, two = pairs(FAR, 0)
    right = LEFT + SIDE + FAR
    assert (one[..., :right] == two[..., :right]).all()
    assert (one[..., right + SIDE :] == two[..., right + SIDE :]).all()
    assert (one != two).flatten(1).any(1).all()


def test_plain_change_ends_where_convolutions_stop_seeing() -> None:
    change = influence(build('plain', 'local'), *pairs(FAR, 0))
    # position c of x_L lies at pixel 2 c (stem: stride 2, padding 1)
    reach = (receptive_field('plain') - 1) // 2
    first = LEFT + SIDE + FAR - reach
    far = [c for c in range(len(change)) if 2 * c < first]
    assert change[far].max() == 0 and change[far[-1] + 1] > 0


@pytest.mark.slow
def test_pictures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(['--steps', '3', '--out', str(tmp_path)]) == 0
    plain, lgd = (
        float(line.split()[-2])
        for line in capsys.readouterr().out.splitlines()
    )
    assert plain == 0 < lgd
    for name in ('influence', 'global_path'):
        assert (tmp_path / f'{name}.png').read_bytes()[1:4] == b'PNG'
