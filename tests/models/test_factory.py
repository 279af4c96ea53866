"""create_model: the networks of the configs, by name, from any weights."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

import lgd_mmaction
from lgd_mmaction.errors import CheckpointError, ConfigError

SMALL = dict(base_channels=8, sketch_dim=64)


def small(name='lgd3d_r18', num_classes=3, **kwargs):
    return lgd_mmaction.create_model(name, num_classes, **SMALL, **kwargs)


def clip(n=2, size=32):
    return torch.randint(256, (n, 3, 8, size, size), dtype=torch.uint8)


def test_names() -> None:
    names = lgd_mmaction.list_models()
    assert len(names) == 10 and {'lgd2d_r18', 'lgd3d_r152'} <= {*names}
    assert lgd_mmaction.list_models('lgd2d*')[2:] == [
        'lgd2d_r50', 'lgd2d_r101', 'lgd2d_r152',
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize('name', ['lgd2d_r50', 'lgd3d_r50'])
def test_a_name_is_the_network_of_its_config(name, repo_root) -> None:
    config = Config.fromfile(repo_root / f'configs/{name}_k400.py')
    config.model.backbone.pretrained = None
    recognizer = MODELS.build(config.model)
    model = lgd_mmaction.create_model(name)
    # same parameters, in the same order, of the same shapes
    theirs, ours = (
        {k: v.shape for k, v in m.state_dict().items()}
        for m in (recognizer, model)
    )
    assert list(theirs.items()) == list(ours.items())
    assert model.cls_head.dropout.p == recognizer.cls_head.dropout.p
    preprocessor = recognizer.data_preprocessor
    assert torch.equal(model.mean, preprocessor.mean)
    assert torch.equal(model.std, preprocessor.std)


@pytest.mark.parametrize('stage', [1, 2])
@pytest.mark.parametrize('name', ['lgd2d_r18', 'lgd3d_r18'])
@torch.no_grad()
def test_a_checkpoint_of_the_runner_scores_as_the_recognizer(
    name, stage, repo_root, tmp_path
) -> None:
    config = Config.fromfile(repo_root / f'configs/{name[:5]}_r50_k400.py')
    change = dict(depth=18, base_channels=8, pretrained=None)
    config.model.backbone.update(change)
    config.model.cls_head.update(
        num_classes=3, in_channels=64, sketch_dim=64, stage=stage
    )
    recognizer = MODELS.build(config.model)
    for p in recognizer.parameters():
        torch.nn.init.normal_(p, std=0.2)
    recognizer.eval()
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(meta={}, state_dict=recognizer.state_dict()), path)
    model = small(name, checkpoint=path).eval()
    assert model.stage == stage
    clips = clip()
    data = dict(inputs=list(clips[:, None]), data_samples=samples(2))
    data = recognizer.data_preprocessor(data)
    expected = recognizer(**data, mode='predict')
    scores = model(clips).softmax(1)
    for score, sample in zip(scores, expected, strict=True):
        torch.testing.assert_close(score, sample.pred_score)
    # and no two classes are alike
    assert scores.std(1).min() > 1e-3


def samples(n):
    from mmaction.structures import ActionDataSample

    return [ActionDataSample().set_gt_label(0) for _ in range(n)]


def test_backbone_of_a_checkpoint_with_other_classes(tmp_path) -> None:
    source = small(num_classes=5)
    for p in source.parameters():
        torch.nn.init.normal_(p)
    path = tmp_path / 'other.pth'
    torch.save(dict(state_dict=source.state_dict()), path)
    model = small(pretrained=path)
    for name, value in source.backbone.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], value), name
    assert model.cls_head.num_classes == 3


def test_what_stands_beside_the_weights_is_left_out(tmp_path) -> None:
    source, path = small(), tmp_path / 'more.pth'
    torch.save({**source.state_dict(), 'epoch': 3, 7: 'x'}, path)
    state = small(checkpoint=path).state_dict()
    for name, value in source.state_dict().items():
        assert torch.equal(state[name], value), name


@pytest.mark.slow
def test_2d_weights_are_inflated(tmp_path) -> None:
    from mmaction.models.backbones.resnet import ResNet

    from tests.models.test_inflate import torchvision_names

    path = tmp_path / 'resnet18.pth'
    net = ResNet(18, norm_cfg=dict(type='BN'))
    torch.save(torchvision_names(net), path)
    model = lgd_mmaction.create_model('lgd3d_r18', 3, pretrained=path)
    kernel = model.backbone.layer1[0].conv1.conv.spatial.weight
    assert torch.equal(kernel[:, :, 0], net.layer1[0].conv1.conv.weight)


def test_pretrained_true_asks_for_imagenet_weights_of_its_depth(
    monkeypatch,
) -> None:
    from lgd_mmaction.models import factory

    asked = []
    monkeypatch.setattr(factory, 'load_2d_state_dict', asked.append)
    monkeypatch.setattr(factory, 'inflate_2d_weights', lambda *_: None)
    small('lgd2d_r34', pretrained=True)
    assert asked == ['torchvision://resnet34']


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(name='lgd3d_r51'), "no model 'lgd3d_r51'; did you mean 'lgd3d"),
        (dict(name='c3d'), "no model 'c3d'; names: lgd2d_r18, "),
        (dict(num_classes=0), 'num_classes of LGDModel is 0: 1 or more'),
        (dict(in_channels=1), 'in_channels of LGDModel is 1: 2 or 3'),
        (dict(pseudo3d='D'), "pseudo3d='D' is unknown"),
        (dict(stage=3), 'stage of KernelizedHead is 3: 1 or 2'),
    ],
)
def test_wrong_arguments_are_named(kwargs, message) -> None:
    with pytest.raises(ConfigError, match=message):
        small(**kwargs)


def test_wrong_checkpoints_are_named(tmp_path) -> None:
    path = tmp_path / 'five.pth'
    torch.save(dict(state_dict=small(num_classes=5).state_dict()), path)
    with pytest.raises(
        CheckpointError,
        match=r'five.pth does not fit the network: cls_head.fc_local.weight '
        r'is \(5, 64\) there and \(3, 64\) here',
    ):
        small(checkpoint=path)
    with pytest.raises(CheckpointError, match='conv2.bn.weight is missing'):
        other = small('lgd2d_r18').state_dict()
        torch.save(
            {k: v for k, v in other.items() if 'conv2.bn' not in k}, path
        )
        small('lgd2d_r18', checkpoint=path)
    with pytest.raises(CheckpointError, match='absent.pth cannot be opened'):
        small(checkpoint=tmp_path / 'absent.pth')
    path.write_bytes(b'no pickle')
    with pytest.raises(CheckpointError, match='five.pth cannot be read'):
        small(checkpoint=path)


@pytest.mark.slow
def test_the_import_is_quiet_and_lazy() -> None:
    code = (
        'import sys, lgd_mmaction\n'
        'late = {"lgd_mmaction.models.factory", "huggingface_hub"}\n'
        'assert not late & sys.modules.keys()\n'
        'assert "create_model" in lgd_mmaction.__all__\n'
        'lgd_mmaction.create_model\n'
        'assert late - {"huggingface_hub"} <= sys.modules.keys()\n'
    )
    root = Path(lgd_mmaction.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, '-W', 'default', '-c', code],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'create'"):
        _ = lgd_mmaction.create
