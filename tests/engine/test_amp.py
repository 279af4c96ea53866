"""Mixed precision through a whole network, in both stages."""

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
