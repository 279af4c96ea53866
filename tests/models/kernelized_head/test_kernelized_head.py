"""Equations (4)-(6) in the head, and the stock interfaces around it."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from lgd_mmaction.models.kernelized_head import KernelizedHead

N, C, K, D = 4, 6, 5, 32
LABELS = torch.tensor([3, 0, 2, 3])


def make(**kwargs: object) -> KernelizedHead:
    kwargs = {'sketch_dim': D, 'dropout_ratio': 0, 'topk': (1, 2), **kwargs}
    head = KernelizedHead(K, C, **kwargs)
    # larger than the usual start, so that classes differ
    for p in head.parameters():
        torch.nn.init.normal_(p, std=0.5)
    return head


def pair(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    return (
        torch.randn(N, C, 2, 3, 3).relu().to(dtype).requires_grad_(),
        torch.randn(N, C, 1, 1, 1).relu().to(dtype).requires_grad_(),
    )


def samples(labels: Tensor = LABELS) -> list[ActionDataSample]:
    return [ActionDataSample().set_gt_label(y) for y in labels]


def by_hand(head: KernelizedHead, x: Tensor, g: Tensor) -> dict[str, Tensor]:
    """The logits of every classifier, from the equations."""

    def linear(name: str, v: Tensor) -> Tensor:
        fc = getattr(head, f'fc_{name}')
        return v @ fc.weight.T + fc.bias

    g = g.reshape(N, C)
    phi = [
        torch.stack([head.sketch(p) for p in x.flatten(2).unbind(2)]).mean(0),
        head.sketch(g),
    ]
    return {
        'local': linear('local', x.mean((2, 3, 4))),
        'global': linear('global', g),
        'cls': linear('sketch', torch.cat(phi, 1) * head.sketch_scale),
    }


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    return -z.log_softmax(1)[torch.arange(N), y].mean()


def test_loss_5() -> None:
    head, feats = make(), pair()
    losses = head.loss(feats, samples())
    z = by_hand(head, *feats)
    assert set(losses) == {
        'loss_local', 'loss_global', 'top1_acc', 'top2_acc',
    }  # fmt: skip
    for name in ('local', 'global'):
        expected = cross_entropy(z[name], LABELS)
        assert losses[f'loss_{name}'].item() == pytest.approx(
            expected.item(), rel=1e-6
        )
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    # "local and global are tuned separately", the sketch not at all
    assert head.fc_sketch.weight.grad is None
    assert head.fc_local.weight.grad is not None
    assert all(f.grad.abs().sum() > 0 for f in feats)


def test_loss_6() -> None:
    head, feats = make(stage=2), pair()
    losses = head.loss(feats, samples())
    assert set(losses) == {'loss_cls', 'top1_acc', 'top2_acc'}
    expected = cross_entropy(by_hand(head, *feats)['cls'], LABELS)
    assert losses['loss_cls'].item() == pytest.approx(
        expected.item(), rel=1e-5
    )
    losses['loss_cls'].backward()
    assert head.fc_local.weight.grad is None
    assert head.fc_global.weight.grad is None
    assert all(f.grad.abs().sum() > 0 for f in feats)


def test_sketch_scale() -> None:
    # E|phi(v)|^2 = |v|^4: for features of root mean square 1 the scaled phi
    # is as long as the features
    head = KernelizedHead(3, 512, sketch_dim=4096)
    v = torch.randn(32, 512)
    length = (head.sketch(v) * head.sketch_scale).norm(dim=1)
    assert (length / v.norm(dim=1)).mean().item() == pytest.approx(1, rel=0.1)
    # so stage 2 begins at the loss of a guess, log K, and learns; to the
    # letter of (4) it would begin far above
    feats = torch.randn(8, 512, 4).relu(), torch.randn(8, 512).relu()
    start = {}
    for scale in (None, 1.0):
        fresh = KernelizedHead(
            3, 512, sketch_dim=4096, stage=2, sketch_scale=scale
        )
        fresh.init_weights()
        losses = fresh.loss(feats, samples(torch.arange(8) % 3))
        start[scale] = losses['loss_cls'].item()
    assert abs(start[None] - math.log(3)) < 0.2
    assert start[1.0] > 3
    one = make(stage=2, sketch_scale=1.0)
    scaled = make(stage=2)
    scaled.load_state_dict(one.state_dict())
    feats = pair()
    bias = one.fc_sketch.bias
    torch.testing.assert_close(
        (one(feats) - bias) * C**-0.5, scaled(feats) - bias
    )


def test_scores_of_stage_1_are_the_mean_of_both_softmaxes() -> None:
    head, feats = make(), pair()
    z = by_hand(head, *feats)
    mean = (z['local'].softmax(1) + z['global'].softmax(1)) / 2
    torch.testing.assert_close(head(feats), mean.log())
    torch.testing.assert_close(head(feats).softmax(1), mean)
    # without a detour over probabilities, which would end in log 0
    with torch.no_grad():
        head.fc_local.bias[0] = head.fc_global.bias[0] = 1e4
    assert head(feats).isfinite().all()


@pytest.mark.parametrize('stage', [1, 2])
def test_average_clips(stage: int) -> None:
    feats = pair()  # two videos of two clips each
    head = make(stage=stage)
    scores = head(feats)
    for how, expected in (
        ('prob', scores.softmax(1).view(2, 2, K).mean(1)),
        ('score', scores.view(2, 2, K).mean(1)),
        (None, scores.view(2, 2, K)),
    ):
        head.average_clips = how
        predicted = head.predict(feats, samples(LABELS[:2]))
        got = torch.stack([p.pred_score for p in predicted])
        torch.testing.assert_close(got, expected)
        best = [int(p.pred_label.view(-1)[0]) for p in predicted]
        assert best == expected.view(2, -1, K)[:, 0].argmax(1).tolist()


def test_signed_sqrt_l2() -> None:
    # float64: the root turns rounding errors of 1e-7 into 3e-4
    head = make(stage=2, signed_sqrt_l2=True).double()
    feats = pair(torch.float64)
    parts = []
    for f in feats:
        phi = head.sketch(f)
        phi = phi.sign() * phi.abs().sqrt()
        parts.append(phi / phi.norm(dim=1, keepdim=True))
    expected = F.linear(
        torch.cat(parts, 1), head.fc_sketch.weight, head.fc_sketch.bias
    )
    torch.testing.assert_close(head(feats), expected, rtol=1e-5, atol=1e-5)
    # dead features must not give infinite slopes
    dead = [torch.zeros_like(f).requires_grad_() for f in feats]
    head.loss(dead, samples())['loss_cls'].backward()
    assert all(f.grad.isfinite().all() for f in dead)


@pytest.mark.parametrize('features', [('local',), ('global',)])
def test_one_feature_alone(features: tuple[str]) -> None:
    (name,) = features
    head, feats = make(features=features), pair()
    z = by_hand_one(head, name, feats)
    torch.testing.assert_close(head(feats), z)
    assert set(head.loss(feats, samples())) == {
        f'loss_{name}', 'top1_acc', 'top2_acc',
    }  # fmt: skip
    head.set_stage(2)
    f = feats[0] if name == 'local' else feats[1]
    phi = head.sketch(f) * head.sketch_scale
    torch.testing.assert_close(head(feats), head.fc_sketch(phi))
    other = 'global' if name == 'local' else 'local'
    assert not hasattr(head, f'fc_{other}')


def by_hand_one(head: KernelizedHead, name: str, feats: tuple) -> Tensor:
    f = feats[0] if name == 'local' else feats[1]
    return getattr(head, f'fc_{name}')(f.mean((2, 3, 4)))


def test_accepted_inputs() -> None:
    head = make()
    x, g = pair()
    expected = head((x, g))
    assert torch.equal(head(((x, g),)), expected)
    assert torch.equal(head([[x, g]]), expected)
    assert torch.equal(head((x, g.flatten(1))), expected)
    probe = make(features=('local',))
    assert torch.equal(probe(x), probe((x, g)))
    assert torch.equal(probe((x,)), probe((x, g)))
    assert torch.equal(
        head((x, g), loss_aux={}, fcn_test=True), expected
    )  # what Recognizer3D passes on


@pytest.mark.parametrize('stage', [1, 2])
def test_soft_labels(stage: int) -> None:
    head, feats = make(stage=stage), pair()
    soft = torch.rand(N, K).softmax(1)
    losses = head.loss(feats, samples(soft))
    z = by_hand(head, *feats)
    for name in ('cls',) if stage == 2 else ('local', 'global'):
        expected = -(soft * z[name].log_softmax(1)).sum(1).mean()
        torch.testing.assert_close(losses[f'loss_{name}'], expected)
    assert not any('acc' in key for key in losses)
    # one-hot soft labels are the hard ones; also in a batch of one
    one_hot = F.one_hot(LABELS, K).float()
    hard = head.loss(feats, samples())
    one = [f[:1] for f in feats]
    for key, value in head.loss(feats, samples(one_hot)).items():
        torch.testing.assert_close(value, hard[key])
        torch.testing.assert_close(
            head.loss(one, samples(one_hot[:1]))[key],
            head.loss(one, samples(LABELS[:1]))[key],
        )


def test_label_smoothing() -> None:
    head, feats = make(label_smooth_eps=0.2), pair()
    z = by_hand(head, *feats)
    got = head.loss(feats, samples())
    for name in ('local', 'global'):
        expected = F.cross_entropy(z[name], LABELS, label_smoothing=0.2)
        torch.testing.assert_close(got[f'loss_{name}'], expected)
    assert 'top1_acc' in got


def test_other_losses() -> None:
    feats = pair()
    torch.manual_seed(7)
    plain = make(stage=2)
    torch.manual_seed(7)
    half = make(
        stage=2, loss_cls=dict(type='CrossEntropyLoss', loss_weight=0.5)
    )
    torch.testing.assert_close(
        half.loss(feats, samples())['loss_cls'],
        plain.loss(feats, samples())['loss_cls'] / 2,
    )

    class Pair(torch.nn.Module):
        def forward(self, z: Tensor, y: Tensor) -> dict[str, Tensor]:
            return {'loss_a': F.cross_entropy(z, y), 'loss_b': z.sum()}

    plain.loss_cls = Pair()
    assert {'loss_a', 'loss_b'} <= set(plain.loss(feats, samples()))
    plain.set_stage(1)
    assert {'loss_a_local', 'loss_b_local', 'loss_a_global',
            'loss_b_global'} <= set(plain.loss(feats, samples()))  # fmt: skip


def test_accuracies_equal_the_stock_ones() -> None:
    from mmaction.evaluation import top_k_accuracy

    head = make(topk=(1, 3, 50))
    torch.manual_seed(3)
    for _ in range(5):
        feats = pair()
        losses = head.loss(feats, samples())
        expected = top_k_accuracy(
            head(feats).detach().numpy(), LABELS.numpy(), (1, 3, 50)
        )
        got = [losses[f'top{k}_acc'].item() for k in (1, 3, 50)]
        assert got == pytest.approx([float(e) for e in expected])
        assert got[2] == 1  # more than there are classes


def test_dropout_only_in_training() -> None:
    feats = pair()
    for stage in (1, 2):
        head = make(stage=stage, dropout_ratio=0.5)
        assert not torch.equal(head(feats), head(feats))
        head.eval()
        assert torch.equal(head(feats), head(feats))


@pytest.mark.parametrize('stage', [1, 2])
@pytest.mark.parametrize(
    'dtype', [torch.float32, torch.bfloat16, torch.float16]
)
def test_autocast(dtype: torch.dtype, stage: int) -> None:
    head = make(stage=stage)
    # as large as half precision can hold the features, not their products
    feats = tuple(
        (1000 * f).detach().to(dtype).requires_grad_() for f in pair()
    )
    with torch.autocast('cpu', dtype=dtype, enabled=dtype != torch.float32):
        losses = head.loss(feats, samples())
    total = sum(v for k, v in losses.items() if 'loss' in k)
    total.backward()
    assert total.dtype == torch.float32 and total.isfinite()
    assert all(f.grad.isfinite().all() for f in feats)
    grads = [p.grad for p in head.parameters() if p.grad is not None]
    assert grads and all(g.isfinite().all() for g in grads)
    # the same as without autocast on the same rounded features
    plain = head.loss([f.detach().float() for f in feats], samples())
    for key in losses:
        assert torch.equal(losses[key], plain[key])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_model_of_half_precision(dtype: torch.dtype) -> None:
    head = make(stage=2).to(dtype)
    feats = pair(dtype)
    for stage in (1, 2):
        head.set_stage(stage)
        assert head(feats).dtype == torch.float32
        assert 'top1_acc' in head.loss(feats, samples())


def test_start_of_the_classifiers() -> None:
    head = KernelizedHead(400, 64, sketch_dim=256, init_std=0.02)
    head.init_weights()
    for name in ('local', 'global', 'sketch'):
        fc = getattr(head, f'fc_{name}')
        assert fc.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert fc.bias.abs().max() == 0


def test_built_from_a_config_into_a_recognizer() -> None:
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(type='mmaction.C3D', out_dim=C),
            cls_head=dict(
                type='KernelizedHead',
                num_classes=K,
                in_channels=C,
                sketch_dim=D,
            ),  # fmt: skip
        )
    )
    assert isinstance(model.cls_head, KernelizedHead)
    assert model.cls_head.average_clips == 'prob'
