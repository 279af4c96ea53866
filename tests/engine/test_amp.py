"""Mixed precision through a whole network, in both stages."""

import copy
import math
from functools import partial
from types import ModuleType

import pytest
import torch
from mmaction.registry import MODELS
from torch import Tensor, nn


@pytest.fixture
def model(tiny: ModuleType, tmp_path) -> nn.Module:
    torch.manual_seed(0)
    net = MODELS.build(tiny.tiny_config(tmp_path).model)
    net.init_weights()
    return net.train()


def batch(tiny: ModuleType) -> dict:
    data = tiny.TinyVideos()
    items = [data[i] for i in range(6)]
    return {k: [item[k] for item in items] for k in items[0]}


def total_loss(
    model: nn.Module, data: dict, dtype: torch.dtype
) -> dict[str, Tensor]:
    with torch.autocast('cpu', dtype=dtype, enabled=dtype != torch.float32):
        losses = model(**model.data_preprocessor(data, True), mode='loss')
    return sum(v for k, v in losses.items() if 'loss' in k)


@pytest.mark.slow
@pytest.mark.parametrize('stage', [1, 2])
@pytest.mark.parametrize(
    'dtype', [torch.float32, torch.float16, torch.bfloat16]
)
def test_finite(
    model: nn.Module, tiny: ModuleType, dtype: torch.dtype, stage: int
) -> None:
    model.cls_head.set_stage(stage)
    loss = total_loss(model, batch(tiny), dtype)
    loss.backward()
    assert loss.isfinite() and loss.dtype == torch.float32
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert len(grads) > 100 and all(g.isfinite().all() for g in grads)
    exact = total_loss(model, batch(tiny), torch.float32)
    assert loss.item() == pytest.approx(exact.item(), rel=0.05)


@pytest.mark.slow
def test_bf16_training_learns(model: nn.Module, tiny: ModuleType) -> None:
    data = batch(tiny)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    history = {1: [], 2: []}
    for step in range(50):
        stage = 1 if step < 25 else 2
        model.cls_head.set_stage(stage)
        loss = total_loss(model, data, torch.bfloat16)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        # loss (5) is a sum of two
        history[stage].append(loss.item() / (2 if stage == 1 else 1))
    for losses in history.values():
        assert losses[-1] < 0.7 * losses[0]


# the loss scale of fp16, on the CPU


@pytest.fixture
def amp(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> object:
    """mmengine's AmpOptimWrapper, which asks for a GPU, without one."""
    from mmengine.optim.optimizer import amp_optimizer_wrapper as module

    monkeypatch.setattr(module, 'is_cuda_available', lambda: True)
    monkeypatch.setattr(
        module, 'GradScaler', partial(torch.amp.GradScaler, 'cpu')
    )
    return module.AmpOptimWrapper(
        loss_scale=dict(init_scale=2.0**16, growth_interval=3),
        dtype='float16',
        optimizer=torch.optim.SGD(model.parameters(), lr=0.02),
        clip_grad=dict(max_norm=40, norm_type=2),
    )


def scaled_step(
    model: nn.Module, amp: object, tiny: ModuleType, factor: float = 1.0
) -> float:
    """One step on a loss times a factor; the norm of the gradients."""
    loss = total_loss(model, batch(tiny), torch.float16) * factor
    amp.update_params(loss)
    return amp.message_hub.get_scalar('train/grad_norm').current()


@pytest.mark.slow
def test_scale_falls_and_grows_and_weights_stay(
    model: nn.Module, amp: object, tiny: ModuleType
) -> None:
    def weights() -> list[Tensor]:
        return [p.detach().clone() for p in model.parameters()]

    before = weights()
    # too large for float32 when scaled: left out, the scale is halved
    norm = scaled_step(model, amp, tiny, factor=1e36)
    assert not math.isfinite(norm)
    assert all(map(torch.equal, before, weights()))
    assert amp.loss_scaler.get_scale() == 2.0**15
    for expected in (2.0**15, 2.0**15, 2.0**16):  # three good steps
        norm = scaled_step(model, amp, tiny)
        assert 0 < norm < 100  # unscaled, as clipping needs it
        assert amp.loss_scaler.get_scale() == expected
    assert not all(map(torch.equal, before, weights()))


@pytest.mark.slow
def test_scale_survives_resuming(
    model: nn.Module, amp: object, tiny: ModuleType
) -> None:
    scaled_step(model, amp, tiny, factor=1e36)
    state = copy.deepcopy(amp.state_dict())
    assert state['loss_scaler']['scale'] == 2.0**15
    scaled_step(model, amp, tiny, factor=1e36)
    amp.load_state_dict(state)
    assert amp.loss_scaler.get_scale() == 2.0**15


@pytest.mark.slow
def test_small_gradients_need_the_scale(
    model: nn.Module, tiny: ModuleType
) -> None:
    def zeros(scale: float) -> float:
        """The share of gradients that fp16 rounds to nothing."""
        model.zero_grad()
        loss = total_loss(model, batch(tiny), torch.float16)
        (loss * 1e-5 * scale).backward()
        grads = [p.grad.flatten() for p in model.backbone.parameters()
                 if p.grad is not None]  # fmt: skip
        return (torch.cat(grads) == 0).float().mean().item()

    assert zeros(2.0**16) < zeros(1.0) - 0.1
