"""Backbone, neck and head together in the stock Recognizer3D."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from lgd_mmaction.errors import ConfigError

LGD_3D = dict(
    type='LGDResNet3d',
    depth=18,
    base_channels=8,
    pseudo3d='A',
    inflate=(1, 1, 1, 1),
    conv1_kernel=(1, 7, 7),
    temporal_strides=(1, 2, 2, 2),
    with_pool2=False,
)
LGD_2D = dict(
    type='LGDResNet3d',
    depth=18,
    base_channels=8,
    inflate=(0, 0, 0, 0),
    conv1_kernel=(1, 7, 7),
    with_pool2=False,
)
HEAD = dict(
    type='KernelizedHead',
    num_classes=4,
    in_channels=64,
    sketch_dim=256,
    dropout_ratio=0.0,
    topk=(1, 2),
)


def recognizer(backbone=LGD_3D, head=HEAD, neck=None, **kwargs):
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(backbone),
            neck=neck,
            cls_head=dict(head),
            **kwargs,
        )
    )
    model.init_weights()
    return model


def samples(n):
    return [ActionDataSample().set_gt_label(i % 4) for i in range(n)]


@pytest.mark.parametrize('stage', [1, 2])
@pytest.mark.parametrize('backbone', [LGD_2D, LGD_3D], ids=['2d', '3d'])
@pytest.mark.parametrize(
    'dtype', [torch.float32, torch.float16, torch.bfloat16], ids=str
)
def test_losses_and_gradients_are_finite_in_every_precision(
    dtype, backbone, stage
):
    model = recognizer(backbone, dict(HEAD, stage=stage))
    model.train()
    x = torch.randn(2, 1, 3, 8, 32, 32)
    with torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
        losses = model(x, samples(2), mode='loss')
    keys = [{'loss_local', 'loss_global'}, {'loss_cls'}][stage - 1]
    assert {k for k in losses if 'loss' in k} == keys
    loss = sum(losses[k] for k in keys)
    assert loss.dtype == torch.float32 and loss.isfinite()
    # at random start each classifier knows nothing: ln 4
    assert abs(loss.item() / len(keys) - 1.386) < 0.3
    loss.backward()
    with_grad = [p for p in model.parameters() if p.grad is not None]
    unused = [n for n, p in model.named_parameters() if p.grad is None]
    assert all(p.grad.isfinite().all() for p in with_grad)
    assert all(n.startswith('cls_head.fc_') for n in unused), unused
    assert model.backbone.conv1.conv.weight.grad.abs().max() > 0


@pytest.mark.slow
@pytest.mark.parametrize('stage', [1, 2])
def test_50_steps_in_bf16_learn(stage):
    model = recognizer(LGD_3D, dict(HEAD, stage=stage))
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    # four classes: a bright bar that moves in one of four directions
    x = torch.zeros(4, 1, 3, 8, 32, 32)
    for t in range(8):
        at = slice(4 * t, 4 * t + 4)
        back = slice(28 - 4 * t, 32 - 4 * t)
        x[0, :, :, t, :, at] = x[1, :, :, t, :, back] = 1
        x[2, :, :, t, at] = x[3, :, :, t, back] = 1
    x, labels = x.repeat(2, 1, 1, 1, 1, 1), samples(8)
    history = []
    for _ in range(50):
        with torch.autocast('cpu', torch.bfloat16):
            losses = model(x, labels, mode='loss')
        loss = sum(v for k, v in losses.items() if 'loss' in k)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    assert sum(history[-5:]) < 0.5 * sum(history[:5])


@torch.no_grad()
@pytest.mark.parametrize('stage', [1, 2])
def test_multi_view_testing_equals_one_pass(stage):
    model = recognizer(LGD_3D, dict(HEAD, stage=stage))
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    model.eval()
    x = torch.randn(1, 5, 3, 8, 32, 32)  # 5 views of one video
    whole = model(x, samples(1), mode='predict')[0].pred_score.clone()
    model.test_cfg = dict(max_testing_views=2)
    parts = model(x, samples(1), mode='predict')[0].pred_score
    assert whole.shape == (4,)
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-7)
    # average_clips='prob': the mean over views of each view's softmax
    logits = [
        model(x[:, i : i + 1], mode='tensor', stage='head') for i in range(5)
    ]
    mean = torch.stack([z.softmax(1) for z in logits]).mean(0)[0]
    torch.testing.assert_close(whole, mean, rtol=1e-5, atol=1e-7)


@torch.no_grad()
def test_fully_convolutional_on_any_size():
    model = recognizer(LGD_2D)
    model.eval()
    for size in ((32, 32), (48, 64), (57, 41)):
        out = model(torch.randn(1, 2, 3, 3, *size), samples(1), mode='predict')
        assert abs(out[0].pred_score.sum().item() - 1) < 1e-5


def test_stock_head_for_two_paths_takes_local_and_global():
    head = dict(
        type='SlowFastHead', in_channels=128, num_classes=4, topk=(1, 2)
    )
    losses = recognizer(head=head)(
        torch.randn(2, 1, 3, 8, 32, 32), samples(2), mode='loss'
    )
    assert losses['loss_cls'].isfinite()


def test_plain_network_with_stock_head_and_with_local_feature_only():
    plain = dict(LGD_3D, diffusion=None)
    x = torch.randn(2, 1, 3, 8, 32, 32)
    stock = dict(type='I3DHead', in_channels=64, num_classes=4, topk=(1, 2))
    assert recognizer(plain, stock)(x, samples(2), mode='loss')[
        'loss_cls'
    ].isfinite()
    local = dict(HEAD, features=('local',), stage=2)
    assert recognizer(plain, local)(x, samples(2), mode='loss')[
        'loss_cls'
    ].isfinite()


def test_neck_between_stock_backbone_and_head():
    backbone = dict(type='ResNet3d', depth=18, base_channels=8)
    neck = dict(type='DiffusionNeck', in_channels=64, num_blocks=2)
    model = recognizer(backbone, neck=neck)
    losses = model(torch.randn(2, 1, 3, 8, 32, 32), samples(2), mode='loss')
    (losses['loss_local'] + losses['loss_global']).backward()
    for part in (model.backbone.conv1.conv, model.cls_head.fc_global):
        assert part.weight.grad.abs().max() > 0
    # g of the last block reaches the head, so its projections learn
    last = model.neck.stages[0][-1]
    for name in ('local_to_global', 'global_to_global'):
        assert getattr(last, name).expand.weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    'change, message',
    [
        (
            dict(head=dict(HEAD, in_channels=512)),
            'has 64 channels.*512: set cls_head.in_channels=64',
        ),
        (
            dict(backbone=dict(LGD_3D, diffusion=None)),
            r'needs the pair \(x_L, g_L\): use an LGD backbone',
        ),
        (
            dict(
                backbone=dict(type='ResNet3d', depth=18, base_channels=8),
                neck=dict(type='DiffusionNeck', in_channels=2048),
            ),
            r'\(64,\) channels, neck.in_channels is \(2048,\)',
        ),
    ],
)
def test_parts_that_do_not_fit_are_named(change, message):
    with pytest.raises(ConfigError, match=message):
        recognizer(**change)(
            torch.randn(2, 1, 3, 8, 32, 32), samples(2), mode='loss'
        )


@torch.no_grad()
def test_whole_recognizer_goes_to_channels_last():
    mean = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0])
    model = recognizer(
        data_preprocessor=dict(
            type='ActionDataPreprocessor', format_shape='NCTHW', **mean
        )
    ).eval()
    clips = [torch.randint(256, (1, 3, 4, 32, 32), dtype=torch.uint8)] * 2
    data = dict(inputs=clips, data_samples=samples(2))
    out = model.data_preprocessor(data)['inputs']
    expected = (
        clips[0].float() - torch.tensor([1, 2, 3.0]).view(3, 1, 1, 1)
    ) / torch.tensor([4, 5, 6.0]).view(3, 1, 1, 1)
    torch.testing.assert_close(out[0], expected)
    ref = model(out, mode='tensor', stage='head')
    model.to(memory_format=torch.channels_last_3d)
    layout = torch.channels_last_3d
    assert model.backbone.layer2[0].conv1.conv.spatial.weight.is_contiguous(
        memory_format=layout
    )
    fast = model(out, mode='tensor', stage='head')
    torch.testing.assert_close(fast, ref, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('stage', [1, 2])
def test_backbone_compiles_as_one_graph_with_equal_gradients(stage):
    model = recognizer(LGD_3D, dict(HEAD, stage=stage)).train()
    for name, p in model.named_parameters():
        if 'global_to_local' in name:  # zero at the start
            torch.nn.init.normal_(p, std=0.1)
    x = torch.randn(2, 1, 3, 8, 32, 32)
    eager, grads = model.backbone.forward, []
    # traced forward and backward; no C++ compiler is needed
    compiled = torch.compile(eager, fullgraph=True, backend='aot_eager')
    for forward in (eager, compiled):
        model.backbone.forward = forward
        losses = model(x, samples(2), mode='loss')
        loss = sum(v for k, v in losses.items() if 'loss' in k)
        names = dict(model.backbone.named_parameters())
        found = torch.autograd.grad(loss, names.values(), allow_unused=True)
        grads.append(found)
    for name, a, b in zip(names, *grads, strict=True):
        assert (a is None) == (b is None), name
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4, msg=name)
