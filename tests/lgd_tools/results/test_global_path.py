"""tools/analysis/show_global_path.py: its numbers, and one picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lgd_tools.cli import ToolError
from lgd_tools.prediction.recognizer import load_recognizer
from lgd_tools.results import global_path as gp
from lgd_tools.results.show_global_path import main
from lgd_tools.video import write_video
from tests.lgd_tools.tiny_recognizer import write_tiny


@pytest.fixture
def tiny(tmp_path: Path, repo_root: Path) -> tuple[Path, Path]:
    return write_tiny(tmp_path, repo_root, stage=2)


@pytest.fixture
def model(tiny):
    return load_recognizer(*map(str, tiny))[0]


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.randn(1, 3, 8, 32, 32)


def test_log_odds_are_those_of_the_softmax() -> None:
    scores = torch.randn(4, 5, dtype=torch.float64)
    p = scores.softmax(1)[:, 2]
    torch.testing.assert_close(gp.log_odds(scores, 2), p.log() - (1 - p).log())


@pytest.mark.slow
def test_a_unit_whose_w_is_zero_adds_and_changes_nothing(model, clip) -> None:
    network = gp.Network(model)
    projection = network.units['layer2.1'].diffusion.global_to_local
    torch.nn.init.zeros_(projection.expand.weight)
    torch.nn.init.zeros_(projection.expand.bias)
    at = list(network.units).index('layer2.1')
    sizes = gp.sizes_of_diffusion(network, clip)
    effects = gp.effects_of_units(network, clip, 0)
    assert sizes[at] == 0 and effects[at] == 0
    others = [i for i in range(8) if i != at]
    assert sizes[others].min() > 0
    assert effects[others[:-1]].abs().min() > 0


@torch.no_grad()
def test_sizes_and_effects_are_those_of_the_equations(model, clip) -> None:
    network = gp.Network(model)
    seen = []
    unit = network.units['layer3.0']
    stock = unit.diffusion.diffuse_to_local

    def spy(f, g, inplace=False):
        seen.append((f.clone(), g.clone()))
        return stock(f, g, inplace)

    unit.diffusion.diffuse_to_local = spy
    before = network.scores(clip)
    del unit.diffusion.diffuse_to_local
    f, g = seen[0]
    w = unit.diffusion.global_to_local(g.flatten(1))[0]  # (C,)
    positions = f.shape[2:].numel()
    expected = w.norm() * positions**0.5 / f.norm()
    at = list(network.units).index('layer3.0')
    found = gp.sizes_of_diffusion(network, clip)[at]
    torch.testing.assert_close(found, expected)
    # with W^{x,g} = 0 in that unit the score falls by its effect
    effect = gp.effects_of_units(network, clip, 1)[at]
    unit.diffusion.global_to_local.expand.weight.zero_()
    unit.diffusion.global_to_local.expand.bias.zero_()
    difference = gp.log_odds(before, 1) - gp.log_odds(network.scores(clip), 1)
    torch.testing.assert_close(effect, difference[0])


def test_the_network_is_left_as_it_was(model, clip) -> None:
    expected = gp.Network(model).scores(clip)
    gp.look_at(model, clip)
    assert torch.equal(gp.Network(model).scores(clip), expected)


@torch.no_grad()
def test_the_rest_of_the_network_from_any_stage(model, clip) -> None:
    network = gp.Network(model)
    expected = network.scores(clip)
    for stage, state in network.states(clip).items():
        assert torch.equal(network.scores_from(stage, state), expected)


def test_maps_of_a_case_made_by_hand() -> None:
    without = torch.zeros(1, 2, 2, 1, 2)
    x = without.clone()
    x[0, :, 0, 0, 1] = torch.tensor([3.0, 4.0])  # |.| = 5, here alone
    x[0, 0, 1, 0, 0] = 15
    found = gp.change_map(x, without)  # mean |x| = (5 + 15) / 4
    assert found.tolist() == [[[0, 1]], [[3, 0]]]

    def score(at):  # 2 x_0 + x_1^2, summed: 6 + 16 and 30
        return 2 * at[:, 0].flatten(1).sum(1) + at[:, 1].square().sum(
            (1, 2, 3)
        )

    effect = gp.effect_map(score, x, without)
    torch.testing.assert_close(
        effect, torch.tensor([[[0.0, 22.0]], [[30.0, 0.0]]])
    )
    # mean gradients: 2, and 2 x_1 / 4 positions = 2
    cam = gp.grad_cam(score, x)
    torch.testing.assert_close(
        cam, torch.tensor([[[0.0, 14 / 30]], [[1.0, 0.0]]])
    )


def test_effects_of_positions_sum_up_to_the_change_of_the_score(
    model, clip
) -> None:
    found = gp.look_at(model, clip, stage='layer4')
    network = gp.Network(model)
    with torch.no_grad():
        g = network.states(clip)['layer4'][1]
        with network.without():
            x = network.states(clip)['layer4'][0]
        scores = network.scores_from('layer4', (x, g))
    lost = found.score - gp.log_odds(scores, found.class_index).item()
    assert found.effect.sum().item() == pytest.approx(lost, rel=0.02)


def test_frames_that_are_alike_move_nothing(model) -> None:
    clip = torch.randn(1, 3, 1, 32, 32).repeat(1, 1, 8, 1, 1)
    clip[:, :, 5] = torch.randn(1, 3, 32, 32)
    out = gp.leave_one_out(clip)
    assert torch.equal(out[5], clip[0, :, :1].expand(3, 8, 32, 32))
    moves, effects = gp.effects_of_frames(gp.Network(model), clip, 0)
    # frame 6 is shown as frame 5, and 5 as 4; all others as their like
    assert [*moves.nonzero().flatten()] == [5, 6]
    assert [*effects.nonzero().flatten()] == [5, 6]


@pytest.mark.slow
def test_a_picture_for_every_video(tiny, tmp_path, capsys) -> None:
    frames = np.random.randint(0, 256, (12, 40, 48, 3), np.uint8)
    labels = tmp_path / 'labels.txt'
    labels.write_text('jump\nrun\nwalk\n')
    for name in ('a', 'b'):
        write_video(tmp_path / f'{name}.mp4', frames)
    arguments = [*map(str, tiny), str(tmp_path / 'a.mp4')]
    options = ['--label-map', str(labels), '--class-index', '1']
    out = tmp_path / 'out'
    assert main(
        [*arguments, str(tmp_path / 'b.mp4'), *options, '--out', str(out)]
    ) == 0  # fmt: skip
    assert 'a.mp4: run: ' in capsys.readouterr().out
    for name in ('a', 'b'):
        picture = cv2.imread(str(out / f'{name}_global_path.png'))
        assert picture.shape[1] == 1400 and picture.std() > 10

    # as tools/predict.py: the label map beside the test list
    (tmp_path / 'label_map.txt').write_text('sit\nstand\nlie\n')
    config = tmp_path / 'tiny.py'
    listed = f'ann_file={str(tmp_path / "test.txt")!r}'
    config.write_text(
        f'{config.read_text()}test_dataloader["dataset"].update({listed})\n'
    )
    assert main([*arguments, '--class-index', '1', '--out', str(out)]) == 0
    assert 'a.mp4: stand: ' in capsys.readouterr().out

    with pytest.raises(ToolError, match='--class-index is 3: .* 0 to 2'):
        main([*arguments, '--class-index', '3'])
    labels.write_text('jump\nrun\n')
    with pytest.raises(ToolError, match='has 2 classes, not 3'):
        main([*arguments, '--label-map', str(labels)])


def test_a_network_without_global_path_is_named(tiny) -> None:
    model, _ = load_recognizer(*map(str, tiny))
    from lgd_mmaction.models import LGDResNet3d

    model.backbone = LGDResNet3d(depth=18, diffusion=None)
    with pytest.raises(ToolError, match='has no global path to look at'):
        gp.Network(model)
