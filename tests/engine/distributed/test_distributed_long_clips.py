"""128 frames and ResNet-101: gradient checkpointing changes no number."""

from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope


def network(repo_root: Path, with_cp: bool) -> torch.nn.Module:
    """That of lgd3d_long_k400, a sixteenth as wide, without dropout."""
    cfg = Config.fromfile(repo_root / 'configs' / 'lgd3d_long_k400.py')
    assert cfg.model.backbone.with_cp and cfg.model.backbone.depth == 101
    cfg.model.backbone.update(base_channels=4, with_cp=with_cp)
    cfg.model.cls_head.update(
        num_classes=5, in_channels=128, sketch_dim=64, dropout_ratio=0.0
    )
    init_default_scope('mmaction')
    model = MODELS.build(cfg.model)
    model.train()
    return model


def step(
    model: torch.nn.Module, clips: torch.Tensor, stage: int
) -> tuple[torch.Tensor, dict[str, torch.Tensor], int]:
    """Loss, gradients, and bytes that the forward pass keeps."""
    kept: dict[int, torch.Tensor] = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        kept[t.untyped_storage().data_ptr()] = t
        return t

    model.cls_head.set_stage(stage)
    model.zero_grad(set_to_none=True)
    samples = [ActionDataSample().set_gt_label(3)]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        losses = model(clips, samples, mode='loss')
    loss, _ = model.parse_losses(losses)
    loss.backward()
    grads = {
        name: p.grad
        for name, p in model.named_parameters()
        if p.grad is not None
    }
    size = sum(t.untyped_storage().nbytes() for t in kept.values())
    return loss.detach(), grads, size


@pytest.mark.slow
def test_same_loss_and_gradients(repo_root: Path) -> None:
    plain = network(repo_root, with_cp=False)
    saving = network(repo_root, with_cp=True)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, p in plain.named_parameters():
            # at the start the global path is switched off by zeros
            if 'diffusion' in name and p.abs().max() == 0:
                p.normal_(std=0.1, generator=generator)
    saving.load_state_dict(plain.state_dict())
    clips = torch.randn(1, 1, 3, 128, 32, 32, generator=generator)
    for stage in (1, 2):
        loss, grads, size = step(plain, clips, stage)
        again, same, smaller = step(saving, clips, stage)
        assert torch.equal(loss, again)
        # 33 units of 3 convolutions or more, each with its norm
        assert grads.keys() == same.keys() and len(grads) > 33 * 6
        moving = [n for n, g in grads.items() if g.abs().max() > 0]
        assert len(moving) > 0.9 * len(grads)
        for name, grad in grads.items():
            torch.testing.assert_close(
                grad, same[name], rtol=1e-5, atol=1e-7, msg=name
            )
        assert smaller < 0.6 * size
