"""2D weights in 3D networks: frame by frame the 2D network."""

import pytest
import torch
from mmaction.models.backbones.resnet import ResNet
from mmaction.registry import MODELS

from lgd_mmaction.errors import CheckpointError
from lgd_mmaction.models.inflate import _torchvision_url

LGD_2D = dict(conv1_kernel=(1, 7, 7), inflate=(0, 0, 0, 0), with_pool2=False)
LGD_3D = dict(
    conv1_kernel=(1, 7, 7),
    inflate=(1, 1, 1, 1),
    inflate_style='3x3x3',
    with_pool2=False,
    temporal_strides=(1, 2, 2, 2),
)
# torchvision's own parameter count of the convolutions and norms
BACKBONE_PARAMETERS = {18: 11_176_512, 50: 23_508_032}


def torchvision_names(net):
    """The state dict of mmaction's ResNet under torchvision's names."""
    out = {}
    for key, value in net.state_dict().items():
        key = key.replace('downsample.conv', 'downsample.0')
        key = key.replace('downsample.bn', 'downsample.1')
        for i in (1, 2, 3):
            key = key.replace(f'conv{i}.conv', f'conv{i}')
            key = key.replace(f'conv{i}.bn', f'bn{i}')
        out[key] = value
    return out


@pytest.fixture(scope='module')
def resnets():
    """2D ResNets with random weights and statistics, built once."""
    torch.manual_seed(0)
    nets = {}
    for depth in (18, 50):
        net = ResNet(depth, norm_cfg=dict(type='BN'))
        for name, t in net.state_dict().items():
            if name.endswith('running_var'):
                torch.nn.init.uniform_(t, 0.5, 1.5)
            elif t.dim() == 1:
                torch.nn.init.normal_(t, 0.5, 0.1)
        net.eval()
        nets[depth] = net.double()
    return nets


@pytest.fixture()
def weights(resnets, tmp_path):
    """Writes a checkpoint in somebody's style and returns its path."""

    def write(depth=18, style='torchvision'):
        state = torchvision_names(resnets[depth])
        path = tmp_path / f'{style}{depth}.pth'
        if style == 'torchvision':
            state['fc.weight'] = torch.zeros(1000, 8)
        elif style == 'mmpretrain':
            state = {f'backbone.{k}': v for k, v in state.items()}
            state['head.fc.weight'] = torch.zeros(1000, 8)
            state = dict(state_dict=state, meta=dict())
        elif style == 'timm':
            state['fc.bias'] = torch.zeros(1000)
            state = dict(
                state_dict={f'module.{k}': v for k, v in state.items()}
            )
        elif style == 'ours':
            state = dict(model=state)
        torch.save(state, path)
        return str(path)

    return write


def build(pretrained, depth=18, **kwargs):
    net = MODELS.build(
        dict(type='LGDResNet3d', depth=depth, pretrained=pretrained, **kwargs)
    )
    net.init_weights()
    net.eval()
    return net.double()


def test_reference_has_torchvisions_size(resnets):
    for depth, net in resnets.items():
        count = sum(p.numel() for p in net.parameters())
        assert count == BACKBONE_PARAMETERS[depth]


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize(
    'depth, style',
    [
        (50, 'torchvision'),
        (18, 'torchvision'),
        (18, 'timm'),
        (18, 'mmpretrain'),
        (18, 'ours'),
    ],
)
def test_lgd2d_equals_the_2d_network_on_every_frame(
    resnets, weights, depth, style
):
    net = build(weights(depth, style), depth, **LGD_2D)
    x = torch.randn(1, 3, 3, 32, 32).double()
    local, glob = net(x)
    for t in range(3):
        ref = resnets[depth](x[:, :, t])
        assert ref.abs().max() > 1e-3
        torch.testing.assert_close(local[:, :, t], ref)
    assert glob.abs().max() > 0


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize(
    'depth, kinds',
    [(50, 'A'), (18, 'A'), (18, 'B'), (18, 'C'), (18, 'ABC'), (50, 'ABC')],
)
def test_lgd3d_equals_the_2d_network_on_the_kept_frames(
    resnets, weights, depth, kinds
):
    net = build(weights(depth), depth, pseudo3d=kinds, **LGD_3D)
    x = torch.randn(1, 3, 16, 32, 32).double()
    local, _ = net(x)
    assert local.shape[2] == 2  # strides 2, 2, 2 keep frames 0 and 8
    for i, t in enumerate((0, 8)):
        ref = resnets[depth](x[:, :, t])
        torch.testing.assert_close(local[:, :, i], ref)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize('twin', ['LGDResNet3d', 'LGDResNet3dSlowOnly'])
def test_dense_kernels_equal_the_2d_network_on_a_still_clip(
    resnets, weights, twin
):
    # 3x1x1 kernels divided by 3 see three equal frames, but at the ends
    net = MODELS.build(
        dict(type=twin, depth=50, pretrained=weights(50), with_pool2=False)
    )
    net.init_weights()
    net.eval()
    net = net.double()
    # stem and 16 units at most have a temporal kernel: 17 frames from the
    # ends nothing has seen their padding
    frame = torch.randn(1, 3, 1, 32, 32).double()
    local, _ = net(frame.expand(-1, -1, 37, -1, -1))
    ref = resnets[50](frame[:, :, 0])
    torch.testing.assert_close(local[:, :, 18], ref)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize(
    'variant', [LGD_2D, dict(LGD_3D, pseudo3d='A')], ids=['2d', '3d']
)
def test_flow_stem_is_the_mean_over_colour(resnets, weights, variant):
    net = build(weights(), in_channels=2, **variant)
    rgb = resnets[18].conv1.conv.weight  # (64, 3, 7, 7)
    for c in range(2):
        torch.testing.assert_close(
            net.conv1.conv.weight[:, c, 0],
            rgb.mean(1),
            rtol=0,
            atol=1e-7,  # stored in float32
        )
    # grey frames: each of 2 channels counts for 1.5 of 3 colours
    grey = torch.randn(1, 1, 2, 64, 64).double()
    stem = net.conv1.conv(grey.expand(-1, 2, -1, -1, -1) * 1.5)
    ref = resnets[18].conv1.conv(grey[:, :, 0].expand(-1, 3, -1, -1))
    torch.testing.assert_close(stem[:, :, 0], ref)


def test_torchvision_scheme_needs_no_torchvision():
    url = _torchvision_url('torchvision://resnet50')
    assert url.startswith('https://') and '/resnet50-' in url
    with pytest.raises(CheckpointError, match='known ResNets are resnet101'):
        _torchvision_url('torchvision://resnet51')


@pytest.mark.slow
@pytest.mark.parametrize(
    'depth, kwargs, message',
    [
        (50, dict(depth=18), 'layer1.0.conv1 with shape'),
        (18, dict(depth=34), 'no weight for layer1.2.conv1'),
        (18, dict(depth=18, base_channels=32), r'conv1 with shape \(64, 3'),
    ],
)
def test_weights_of_another_network_are_refused(
    weights, depth, kwargs, message
):
    with pytest.raises(CheckpointError, match=message):
        build(weights(depth), **kwargs)


@pytest.mark.slow
def test_deeper_weights_are_refused(weights, tmp_path):
    state = torch.load(weights(18), weights_only=True)
    state['layer3.2.conv1.weight'] = torch.zeros(256, 256, 3, 3)
    torch.save(state, tmp_path / 'deeper.pth')
    with pytest.raises(CheckpointError, match='also holds layer3.2.conv1'):
        build(str(tmp_path / 'deeper.pth'))


def test_fewer_stages_take_what_they_need(weights):
    net = build(
        weights(),
        num_stages=2,
        out_indices=(1,),
        spatial_strides=(1, 2),
        temporal_strides=(1, 1),
        dilations=(1, 1),
        conv1_kernel=(1, 7, 7),
        inflate=(0, 0),
    )
    x = torch.randn(1, 3, 2, 32, 32).double()
    assert net(x)[0].shape[1] == 128


@pytest.mark.slow
def test_csn_refuses_2d_weights(weights):
    with pytest.raises(CheckpointError, match='layer1.0.conv2'):
        net = MODELS.build(
            dict(type='LGDResNet3dCSN', depth=50, pretrained=weights(50))
        )
        net.init_weights()


@pytest.mark.slow
def test_unreadable_missing_and_foreign_files_are_named(tmp_path):
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(b'not a checkpoint')
    foreign = tmp_path / 'foreign.pth'
    torch.save({'a.weight': torch.zeros(1)}, foreign)
    missing = tmp_path / 'missing.pth'
    for path, message in (
        (broken, 'cannot be read'),
        (foreign, 'holds no 2D ResNet'),
        (missing, 'cannot be opened'),
    ):
        with pytest.raises(CheckpointError, match=message) as e:
            build(str(path))
        assert str(path) in str(e.value)


class Payload:
    def __reduce__(self):
        import os

        return os.mkdir, ('payload-ran',)


def test_a_checkpoint_with_code_does_not_run_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({'conv1.weight': Payload()}, tmp_path / 'hostile.pth')
    with pytest.raises(CheckpointError, match='cannot be read'):
        build('hostile.pth')
    assert not (tmp_path / 'payload-ran').exists()
