"""DiffusionNeck over the stock backbones."""

import pytest
import torch
from mmaction.registry import MODELS

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.diffusion import FORMS, pool
from lgd_mmaction.models.diffusion_neck import DiffusionNeck

# backbone config, channels of its last map, input (C, T, H, W)
BACKBONES = {
    'SlowOnly': (
        dict(type='ResNet3dSlowOnly', depth=50),
        2048,
        (3, 4, 32, 32),
    ),
    'I3D': (dict(type='ResNet3d', depth=50), 2048, (3, 8, 32, 32)),
    'R2Plus1D': (
        dict(
            type='ResNet2Plus1d',
            depth=34,
            pretrained=None,
            pretrained2d=False,
            conv_cfg=dict(type='Conv2plus1d'),
            norm_cfg=dict(type='BN3d', requires_grad=True, eps=1e-3),
            conv1_kernel=(3, 7, 7),
            inflate=(1, 1, 1, 1),
            zero_init_residual=False,
        ),
        512,
        (3, 4, 32, 32),
    ),
    'CSN': (
        dict(type='ResNet3dCSN', depth=50, pretrained=None, with_pool2=False),
        2048,
        (3, 8, 64, 64),
    ),
    'X3D': (
        dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2),
        432,
        (3, 4, 64, 64),
    ),
    'C2D': (
        dict(type='C2D', depth=50, pretrained=None, norm_eval=False),
        2048,
        (3, 4, 64, 64),
    ),
    'Swin3D': (
        dict(type='SwinTransformer3D', arch='tiny', pretrained2d=False),
        768,
        (3, 4, 64, 64),
    ),
    'MViT': (
        dict(
            type='MViT',
            arch='small',
            spatial_size=64,
            temporal_size=8,
            drop_path_rate=0.2,
        ),
        768,
        (3, 8, 64, 64),
    ),
    'UniFormer': (
        dict(
            type='UniFormer',
            depth=[3, 4, 8, 3],
            embed_dim=[64, 128, 320, 512],
            head_dim=64,
            drop_path_rate=0.1,
        ),
        512,
        (3, 4, 64, 64),
    ),
}


def last_map(features):
    """The map a stock head would pool."""
    while not isinstance(features, torch.Tensor):
        features = features[-1] if len(features) == 1 else features[0]
    return features


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize('name', BACKBONES)
def test_changes_nothing_at_step_0(name):
    cfg, channels, shape = BACKBONES[name]
    backbone = MODELS.build(cfg)
    backbone.init_weights()
    backbone.eval()
    neck = MODELS.build(
        dict(type='DiffusionNeck', in_channels=channels, num_blocks=3)
    )
    neck.init_weights()
    features = backbone(torch.randn(2, *shape))
    (local, glob), losses = neck(features)
    ref = last_map(features)
    assert ref.abs().max() > 0
    assert (local - ref).abs().max() < 1e-6
    assert glob.shape == (2, channels, 1, 1, 1) and glob.abs().max() > 0
    assert losses == {}


def randomise(neck):
    neck = neck.double()
    for p in neck.parameters():
        torch.nn.init.normal_(p, std=0.5)
    return neck


def project(p, v):
    w = p.expand.weight @ p.reduce.weight
    return v @ w.T + p.expand.weight @ p.reduce.bias + p.expand.bias


@pytest.mark.parametrize('relu_local', [False, True])
def test_one_map_follows_the_recursion(relu_local):
    neck = randomise(DiffusionNeck(6, 3, reduction=2, relu_local=relu_local))
    m = torch.randn(2, 6, 2, 3, 3, dtype=torch.double)
    (local, glob), _ = neck(m)
    x, g = m, m.mean((2, 3, 4))
    for block in neck.stages[0]:
        x = x + project(block.global_to_local, g)[:, :, None, None, None]
        x = x.clamp(min=0) if relu_local else x
        g = (
            project(block.local_to_global, x.mean((2, 3, 4)))
            + project(block.global_to_global, g)
        ).clamp(min=0)
    assert (local - x).abs().max() < 1e-10
    assert (glob.flatten(1) - g).abs().max() < 1e-10


def test_several_stages_carry_the_global_path_through():
    neck = randomise(DiffusionNeck((4, 8), (1, 2), reduction=2))
    maps = (torch.randn(2, 4, 2, 6, 6), torch.randn(2, 8, 2, 3, 3))
    maps = tuple(m.double() for m in maps)
    (local, glob), _ = neck(maps)
    g = pool(maps[0]).flatten(1)
    blocks = [neck.stages[0][0], *neck.stages[1]]
    x = None
    fed = (maps[0], maps[1], None)  # the third block takes the second's x
    for f, block in zip(fed, blocks, strict=True):
        x = (x if f is None else f) + project(block.global_to_local, g)[
            :, :, None, None, None
        ]
        g = (
            project(block.local_to_global, x.mean((2, 3, 4)))
            + project(block.global_to_global, g)
        ).clamp(min=0)
    assert (local - x).abs().max() < 1e-10
    assert (glob.flatten(1) - g).abs().max() < 1e-10
    # the first map reaches the last global feature
    moved = (maps[0] + 1, maps[1])
    assert (neck(moved)[0][1] - glob).abs().max() > 1e-3


@pytest.mark.parametrize('form', FORMS)
def test_every_form_trains(form):
    neck = DiffusionNeck(8, 2, form=form)
    for block in neck.stages[0]:
        if form != 'local_to_global':
            torch.nn.init.normal_(block.global_to_local.expand.weight)
    (x, g), _ = neck(torch.rand(2, 8, 2, 3, 3))
    (x.square().sum() + g.square().sum()).backward()
    assert all(p.grad is not None for p in neck.parameters())


def test_several_out_indices_of_a_stock_backbone():
    backbone = MODELS.build(
        dict(type='ResNet3d', depth=18, base_channels=8, out_indices=(2, 3))
    )
    neck = DiffusionNeck((32, 64))
    (x, g), _ = neck(backbone(torch.randn(1, 3, 4, 32, 32)))
    assert x.shape[:2] == g.shape[:2] == (1, 64)


def test_wrong_arguments_and_maps_are_named():
    with pytest.raises(ConfigError, match='num_blocks.*does not fit'):
        DiffusionNeck((8, 16), (1, 2, 3))
    with pytest.raises(ConfigError, match='num_blocks.*does not fit'):
        DiffusionNeck(8, 0)
    neck = DiffusionNeck(8)
    with pytest.raises(ConfigError, match=r'\(4,\) channels.*in_channels=4'):
        neck(torch.rand(1, 4, 2, 3, 3))
    with pytest.raises(ConfigError, match='backbone for Recognizer3D'):
        neck(torch.rand(2, 8, 3, 3))
    with pytest.raises(ConfigError, match=r'set in_channels=\(8, 8\)'):
        neck([torch.rand(2, 8, 1, 3, 3)] * 2)
