"""The plain module: both stages in a loop, features, saved folders."""

import json
import subprocess

import pytest
import torch

from lgd_mmaction.errors import CheckpointError, ConfigError
from lgd_mmaction.models.lgd_model import (
    LGDModel,
    joint_loss,
    separate_loss,
)
from tests.warm import PYTHON


def small(**kwargs) -> LGDModel:
    arguments = dict(
        depth=18, num_classes=4, base_channels=8, sketch_dim=256, dropout=0.0
    )
    return LGDModel(**(arguments | kwargs))


def bars() -> torch.Tensor:
    """Four classes, uint8 (4, 3, 8, 32, 32): which way a bar moves."""
    x = torch.zeros(4, 3, 8, 32, 32, dtype=torch.uint8)
    for t in range(8):
        at, back = slice(4 * t, 4 * t + 4), slice(28 - 4 * t, 32 - 4 * t)
        x[0, :, t, :, at] = x[1, :, t, :, back] = 255
        x[2, :, t, at] = x[3, :, t, back] = 255
    return x


@pytest.mark.parametrize('dims', [2, 3])
@pytest.mark.parametrize('stage', [1, 2])
def test_20_steps_lower_the_loss(dims, stage) -> None:
    model = small(dims=dims, temporal_start='random', stage=stage)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    loss_of = (separate_loss, joint_loss)[stage - 1]
    x, labels = bars().repeat(2, 1, 1, 1, 1), torch.arange(4).repeat(2)
    losses = []
    for _ in range(20):
        loss = loss_of(model(x, each=True), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    # each classifier begins with ln 4
    assert losses[0] / (3 - stage) == pytest.approx(1.386, abs=0.3)
    # frames alone, LGD-2D, tell two pairs of classes apart: ln 2 at best
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_the_losses_are_5_and_6() -> None:
    z, w = torch.randn(2, 3, 4, dtype=torch.float64)
    labels = torch.tensor([1, 0, 3])

    def cross_entropy(scores):
        rows = [
            row.exp().sum().log() - row[y]
            for row, y in zip(scores, labels, strict=True)
        ]
        return sum(rows) / len(rows)

    torch.testing.assert_close(
        separate_loss({'local': z, 'global': w}, labels),
        cross_entropy(z) + cross_entropy(w),
    )
    torch.testing.assert_close(
        joint_loss({'cls': z}, labels), cross_entropy(z)
    )


@torch.no_grad()
def test_features_logits_and_stages() -> None:
    model = small().eval()
    x, g = model.forward_features(bars())
    assert x.shape == (4, 64, 1, 1, 1) and g.shape == (4, 64, 1, 1, 1)
    each = model(bars(), each=True)
    mean = (each['local'].softmax(1) + each['global'].softmax(1)) / 2
    torch.testing.assert_close(model(bars()), mean.log())
    model.set_stage(2)
    assert model.stage == 2
    each = model(bars(), each=True)
    assert list(each) == ['cls']
    torch.testing.assert_close(model(bars()), each['cls'])


@torch.no_grad()
def test_bytes_are_normalised_and_floats_are_not() -> None:
    model = small().eval()
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1, 1)
    done = (bars().float() - mean) / std
    torch.testing.assert_close(model(bars()), model(done))
    assert (model(bars()) - model(bars().float())).abs().max() > 1e-4
    flow = small(in_channels=2).eval()
    still = torch.full((1, 2, 8, 32, 32), 128, dtype=torch.uint8)
    torch.testing.assert_close(flow(still), flow(torch.zeros(still.shape)))


@pytest.mark.parametrize('shape', [(3, 8, 32, 32), (1, 2, 8, 32, 32)])
def test_a_clip_of_another_shape_is_named(shape) -> None:
    with pytest.raises(ConfigError, match=r'must be \(N, 3, T, H, W\)'):
        small()(torch.zeros(shape))


@torch.no_grad()
def test_saved_and_loaded_it_scores_the_same(tmp_path) -> None:
    model = small(dims=2, channels_last=True).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    model.set_stage(2)
    model.save_pretrained(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        'README.md', 'config.json', 'model.safetensors',
    }  # fmt: skip
    config = json.loads((tmp_path / 'config.json').read_text())
    assert config['dims'] == 2 and config['num_classes'] == 4
    card = (tmp_path / 'README.md').read_text()
    assert 'library_name: lgd_mmaction' in card
    assert 'arxiv.org/abs/1906.05571' in card and '{{' not in card
    again = LGDModel.from_pretrained(tmp_path)
    assert again.stage == 2 and not again.training
    assert torch.equal(again(bars()), model(bars()))


def test_weights_of_another_network_are_an_error(tmp_path) -> None:
    small().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match='model.safetensors cannot be'):
        LGDModel.from_pretrained(tmp_path, num_classes=5)
    (tmp_path / 'model.safetensors').write_bytes(b'cut')
    with pytest.raises(CheckpointError, match='model.safetensors cannot be'):
        LGDModel.from_pretrained(tmp_path)


@pytest.mark.slow
def test_without_huggingface_hub_it_says_what_is_missing() -> None:
    code = (
        'import sys\n'
        'sys.modules["huggingface_hub"] = None\n'
        'from lgd_mmaction import LGDModel\n'
        'from lgd_mmaction.errors import ConfigError\n'
        'model = LGDModel(depth=18, base_channels=8, sketch_dim=8)\n'
        'for call in (model.save_pretrained, LGDModel.from_pretrained):\n'
        '    try:\n'
        '        call("anywhere")\n'
        '    except ConfigError as error:\n'
        '        print(error)\n'
    )
    said = subprocess.check_output([PYTHON, '-c', code], text=True)
    line, other = said.splitlines()
    assert line == other and 'pip install huggingface_hub safetensors' in line
