"""The twins: equal to the stock network at step 0, to the paper after it."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch.utils._python_dispatch import TorchDispatchMode

from lgd_mmaction.errors import ConfigError
from lgd_mmaction.models.diffusion import FORMS
from lgd_mmaction.models.lgd_resnet3d import LGDResNet3d
from lgd_mmaction.models.pseudo3d import Pseudo3DConv

R2PLUS1D = dict(
    pretrained=None,
    pretrained2d=False,
    conv_cfg=dict(type='Conv2plus1d'),
    norm_cfg=dict(type='BN3d', requires_grad=True, eps=1e-3),
    act_cfg=dict(type='ReLU', inplace=True),
    inflate=(1, 1, 1, 1),
    inflate_style='3x3x3',
    temporal_strides=(1, 2, 2, 2),
    zero_init_residual=False,
)
NON_LOCAL = dict(
    non_local=((0, 0, 0), (0, 1, 0, 1), (0,) * 6, (0, 0, 0)),
    non_local_cfg=dict(
        sub_sample=True,
        use_scale=False,
        norm_cfg=dict(type='BN3d', requires_grad=True),
        mode='dot_product',
    ),
)
# (stock class, its arguments); every depth of each is covered
TWINS = [
    *[('ResNet3d', dict(depth=d)) for d in (18, 34, 50, 101, 152)],
    ('ResNet3d', dict(depth=50, **NON_LOCAL)),
    *[('ResNet3dSlowOnly', dict(depth=d)) for d in (18, 34, 50, 101, 152)],
    *[('ResNet2Plus1d', dict(depth=d, **R2PLUS1D)) for d in (18, 34)],
    *[('ResNet2Plus1d', dict(depth=d, **R2PLUS1D)) for d in (50, 101, 152)],
    *[
        ('ResNet3dCSN', dict(depth=d, pretrained=None, bottleneck_mode=m))
        for d, m in ((50, 'ir'), (101, 'ip'), (152, 'ir'))
    ],
]


def build(type_, **kwargs):
    net = MODELS.build(dict(type=type_, **kwargs))
    net.eval()  # stock backbones return None from train()
    return net


def randomise(net, std=0.1):
    """Random weights and norm statistics: nothing is zero or one."""
    for p in net.parameters():
        torch.nn.init.normal_(p, std=std)
    for name, b in net.named_buffers():
        if name.endswith('running_var'):
            torch.nn.init.uniform_(b, 0.5, 1.5)
        elif name.endswith('running_mean'):
            torch.nn.init.normal_(b, std=std)


@pytest.mark.slow
@pytest.mark.parametrize(
    'stock, kwargs',
    TWINS,
    ids=[f'{t}-{k["depth"]}-{i}' for i, (t, k) in enumerate(TWINS)],
)
def test_stock_state_dict_loads_and_gives_the_stock_output(stock, kwargs):
    kwargs = dict(kwargs, base_channels=4)
    plain, lgd = build(stock, **kwargs), build(f'LGD{stock}', **kwargs)
    randomise(plain)
    keys = lgd.load_state_dict(plain.state_dict(), strict=False)
    assert keys.unexpected_keys == []
    assert all('.diffusion.' in k for k in keys.missing_keys)

    x = torch.randn(2, 3, 8, 32, 32)
    with torch.no_grad():
        ref, (local, glob) = plain(x), lgd(x)
    assert ref.abs().max() > 1e-3
    assert (local - ref).abs().max() < 1e-6
    assert glob.shape == (2, ref.shape[1], 1, 1, 1)


@pytest.mark.parametrize(
    'stock, kwargs',
    [('ResNet3d', dict(depth=50)), ('ResNet2Plus1d', R2PLUS1D)],
)
def test_no_diffusion_is_the_stock_network_key_for_key(stock, kwargs):
    plain = build(stock, base_channels=4, **kwargs)
    none = build(f'LGD{stock}', base_channels=4, diffusion=None, **kwargs)
    randomise(plain)
    none.load_state_dict(plain.state_dict())  # strict
    x = torch.randn(1, 3, 4, 32, 32)
    assert torch.equal(none(x), plain(x))


@pytest.mark.parametrize('depth, added', [(50, 7.24e6), (101, 13.98e6)])
def test_added_parameters_are_the_papers(depth, added):
    with torch.device('meta'):
        lgd = MODELS.build(dict(type='LGDResNet3d', depth=depth))
        plain = MODELS.build(dict(type='ResNet3d', depth=depth))
    count = [sum(p.numel() for p in n.parameters()) for n in (lgd, plain)]
    assert abs(count[0] - count[1] - added) < 0.01 * added
    # and exactly the sum over units of three low-rank projections
    closed, c_in = 0, 64
    blocks = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}[depth]
    for c, n in zip((256, 512, 1024, 2048), blocks, strict=True):
        inner = c // 16
        for i in range(n):
            before = c_in if i == 0 else c
            reduce = inner * (2 * before + c) + 3 * inner
            closed += reduce + 3 * (inner * c + c)
        c_in = c
    assert count[0] - count[1] == closed


def naive_forward(net, x):
    """The recursion over a depth-18 net, from its state dict alone."""
    s = net.state_dict(keep_vars=True)

    def conv(x, name, stride, pad):
        y = F.conv3d(x, s[f'{name}.conv.weight'], None, stride, pad)
        keys = ('running_mean', 'running_var', 'weight', 'bias')
        m, v, w, b = (s[f'{name}.bn.{k}'].view(1, -1, 1, 1, 1) for k in keys)
        return (y - m) / torch.sqrt(v + 1e-5) * w + b

    def full(name, v):  # full-rank product W v + b, W = W_b W_a
        wa, ba = s[f'{name}.reduce.weight'], s[f'{name}.reduce.bias']
        wb, bb = s[f'{name}.expand.weight'], s[f'{name}.expand.bias']
        return torch.stack([(wb @ wa) @ row + wb @ ba + bb for row in v])

    x = conv(x, 'conv1', (1, 2, 2), (1, 3, 3)).clamp(min=0)
    x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    g = x.flatten(2).sum(2) / x[0, 0].numel()  # g_0 = P(x_0)
    for stage in range(1, 5):
        for unit in range(2):
            n = f'layer{stage}.{unit}'
            first = unit == 0 and stage > 1
            stride = (1, 2, 2) if first else (1, 1, 1)
            f = conv(x, f'{n}.conv1', stride, (1, 1, 1)).clamp(min=0)
            f = conv(f, f'{n}.conv2', 1, (1, 1, 1))
            f = f + (conv(x, f'{n}.downsample', stride, 0) if first else x)
            d = f'{n}.diffusion'
            shift = full(f'{d}.global_to_local', g)
            x = (f + shift[:, :, None, None, None]).clamp(min=0)  # (1)
            mean = x.flatten(2).sum(2) / x[0, 0].numel()
            seen = full(f'{d}.local_to_global', mean)
            g = (seen + full(f'{d}.global_to_global', g)).clamp(min=0)  # (2)
        if stage == 1:
            x = F.max_pool3d(x, (2, 1, 1), (2, 1, 1))
    return x, g


def test_network_equals_the_naive_recursion_forward_and_backward():
    net = build('LGDResNet3d', depth=18, base_channels=4).double()
    randomise(net, std=0.2)
    x = torch.randn(2, 3, 4, 32, 32, dtype=torch.double, requires_grad=True)
    leaves = [x, *net.parameters()]
    results = []
    for forward in (net, lambda x: naive_forward(net, x)):
        local, glob = forward(x)
        glob = glob.flatten(1)
        weight = torch.linspace(-1, 1, local.numel()).double()
        loss = (local.flatten() * weight).sum() + (glob * glob).sum()
        # the W^{g,x}, W^{g,g} of every unit but the last feed both paths
        results.append((local, glob, *torch.autograd.grad(loss, leaves)))
    assert results[0][0].abs().max() > 1e-3
    assert results[0][1].abs().max() > 1e-3
    for fast, slow in zip(*results, strict=True):
        assert (fast - slow).abs().max() < 1e-10


def test_frozen_stages_and_norm_eval():
    net = build('LGDResNet3d', depth=18, base_channels=4, frozen_stages=2)
    net.train()
    frozen = ('conv1.', 'layer1.', 'layer2.')
    for name, p in net.named_parameters():
        assert p.requires_grad != name.startswith(frozen), name
    assert not net.layer2.training and net.layer3.training

    net = build('LGDResNet3d', depth=18, base_channels=4, norm_eval=True)
    net.train()
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm3d)]
    assert len(norms) == 20 and not any(m.training for m in norms)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('depth', [18, 50])
def test_gradient_checkpointing_changes_no_number(form, depth):
    kwargs = dict(
        depth=depth, base_channels=4, diffusion=dict(form=form), norm_eval=True
    )
    net = build('LGDResNet3d', **kwargs)
    randomise(net, std=0.2)
    twin = build('LGDResNet3d', with_cp=True, **kwargs)
    twin.load_state_dict(net.state_dict())
    x = torch.randn(1, 3, 4, 32, 32)
    grads = []
    for n in (net, twin):
        n.train()
        local, glob = n(x)
        (local.sum() + glob.sum()).backward()
        grads.append([p.grad for p in n.parameters()])
    pairs = zip(*grads, strict=True)
    pairs = [(a, b) for a, b in pairs if a is not None]
    assert len(pairs) > 60
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_gradient_checkpointing_counts_a_batch_once():
    nets = [
        build('LGDResNet3d', depth=18, base_channels=4, with_cp=with_cp)
        for with_cp in (False, True)
    ]
    nets[1].load_state_dict(nets[0].state_dict())
    x = torch.randn(2, 3, 4, 64, 64)
    for net in nets:
        net.train()
        local, glob = net(x)
        (local.sum() + glob.sum()).backward()
    for (name, a), b in zip(
        nets[0].named_buffers(), nets[1].buffers(), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=name)
    assert nets[1].layer1[0].conv1.bn.num_batches_tracked == 1
    assert nets[1].layer1[0].conv1.bn.momentum == 0.1


def test_several_out_indices_give_a_pair_a_stage():
    net = build(
        'LGDResNet3d', depth=18, base_channels=4, out_indices=(1, 2, 3)
    )
    outs = net(torch.randn(2, 3, 4, 32, 32))
    assert [o[0].shape[1] for o in outs] == [8, 16, 32]
    assert [tuple(o[1].shape) for o in outs] == [
        (2, c, 1, 1, 1) for c in (8, 16, 32)
    ]
    assert torch.equal(outs[-1][0], outs[-1][0].clamp(min=0))


def test_pseudo3d_cycles_over_units_and_keeps_one_frame_kernels():
    net = build(
        'LGDResNet3d',
        depth=50,
        base_channels=4,
        pseudo3d='ABC',
        inflate_style='3x3x3',
        conv1_kernel=(1, 7, 7),
    )
    kinds = ''.join(
        m.kind
        for unit in net.residual_units()
        for m in unit.modules()
        if isinstance(m, Pseudo3DConv)
    )
    assert kinds == 'ABCABCABCABCABCA'  # 16 units, conv2 of each
    assert isinstance(net.conv1.conv, torch.nn.Conv3d)


def test_init_keeps_the_zero_and_identity_starts():
    net = build(
        'LGDResNet3d', depth=18, base_channels=4, pseudo3d='A', pretrained=None
    )
    randomise(net)
    net.init_weights()
    for name, p in net.named_parameters():
        if 'global_to_local.expand' in name:
            assert p.abs().max() == 0, name
        elif name.endswith('temporal.weight'):
            eye = torch.eye(p.shape[0])
            assert torch.equal(p[:, :, 1, 0, 0], eye), name
            assert p[:, :, [0, 2]].abs().max() == 0, name
        elif 'diffusion' in name and name.endswith('weight'):
            assert p.abs().max() > 0, name


def test_random_temporal_start_draws_them_as_the_others():
    net = build(
        'LGDResNet3d',
        depth=18,
        base_channels=8,
        pseudo3d='A',
        pretrained=None,
        temporal_start='random',
    )
    net.init_weights()
    factors = [m for m in net.modules() if isinstance(m, Pseudo3DConv)]
    assert len(factors) == 17  # the stem and two in each of 8 units
    for factor in factors:
        w = factor.temporal.weight
        assert (w[:, :, 0] - w[:, :, 2]).abs().max() > 0.01  # time has a sense
        # kaiming, fan out: std sqrt(2 / (C_out 3))
        expected = (2 / (w.shape[0] * 3)) ** 0.5
        assert abs(w.std().item() / expected - 1) < 0.3


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(temporal_start='zero'), "temporal_start='zero' is unknown"),
        (dict(depth=42), 'has no depth 42: use one of 18, 34, 50, 101, 152'),
        (dict(pseudo3d='D'), "pseudo3d='D' is unknown: use a kind"),
        (dict(pseudo3d=''), "pseudo3d='' is unknown"),
        (dict(pseudo3d='A'), "set inflate_style='3x3x3'"),
        (dict(diffusion=dict(form='up')), "form 'up' is unknown"),
        (dict(diffusion=dict(rate=8)), "no argument 'rate'"),
        (
            dict(depth=18, temporal_strides=(2, 1, 1, 1)),
            'also needs a spatial stride',
        ),
    ],
)
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        build('LGDResNet3d', base_channels=4, **kwargs)


def test_wrong_depth_of_csn_and_pseudo3d_of_r2plus1d_are_named():
    with pytest.raises(ConfigError, match='no depth 18: use one of 50, 101'):
        build('LGDResNet3dCSN', depth=18, pretrained=None)
    with pytest.raises(ConfigError, match='set pretrained2d=False'):
        build('LGDResNet2Plus1d', pretrained='torchvision://resnet18')
    with pytest.raises(ConfigError, match='has no depth 42: use one of 18'):
        LGDResNet3d(42)
    with pytest.raises(ConfigError, match='cannot factorise a Conv2plus1d'):
        build('LGDResNet2Plus1d', base_channels=4, pseudo3d='A', **R2PLUS1D)


class Copies(TorchDispatchMode):
    """Counts the copies of feature maps: five dimensions, or views of them."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ('clone', 'copy_', '_to_copy', 'contiguous'):
            self.names.append((name, tuple(out.shape)))
        return out


@pytest.mark.parametrize('kind', [None, 'A', 'C'])
def test_channels_last_gives_the_same_numbers_without_copies(kind):
    kwargs = dict(depth=18, base_channels=8, conv1_kernel=(1, 7, 7))
    kwargs.update(pseudo3d=kind, with_pool2=False)
    net = build('LGDResNet3d', **kwargs)
    randomise(net)
    fast = build('LGDResNet3d', channels_last=True, **kwargs)
    fast.load_state_dict(net.state_dict())
    x = torch.randn(2, 3, 4, 32, 32)
    ref = net(x)
    x = x.to(memory_format=torch.channels_last_3d)
    with Copies() as copies:
        out = fast(x)
        (out[0].sum() + out[1].sum()).backward()
    assert out[0].is_contiguous(memory_format=torch.channels_last_3d)
    for a, b in zip(out, ref, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    maps = [c for c in copies.names if len(c[1]) > 3]
    assert maps == []
