"""The code of docs/backbone.md runs."""

import re
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from lgd_mmaction.models import LGDResNet3dSlowOnly


@pytest.fixture
def blocks(repo_root: Path) -> list[str]:
    page = (repo_root / 'docs' / 'backbone.md').read_text()
    return re.findall('```python\n(.*?)```', page, re.DOTALL)


@pytest.mark.slow
def test_the_configs_build(blocks: list[str], tmp_path: Path) -> None:
    config, neck, *_ = blocks
    (tmp_path / 'own.py').write_text(config)
    model = MODELS.build(Config.fromfile(tmp_path / 'own.py').model)
    assert type(model.backbone) is LGDResNet3dSlowOnly
    base = (
        "_base_ = 'mmaction::recognition/swin/swin-tiny-p244-w877_in1k-pre_"
        "8xb8-amp-32x2x1-30e_kinetics400-rgb.py'\n"
    )
    (tmp_path / 'neck.py').write_text(base + neck)
    model = MODELS.build(Config.fromfile(tmp_path / 'neck.py').model)
    assert model.cls_head.in_channels == 2 * model.neck.in_channels[0]


@pytest.mark.slow
def test_the_loop_and_the_network_run(
    blocks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    loop, network = blocks[2:]
    exec(loop, names)
    assert names['model'].stage == 2
    torch.testing.assert_close(names['scores'].sum(1), torch.ones(4))
    assert any((tmp_path / 'work_dirs' / 'lgd3d_r18').iterdir())
    exec(network, names)
    assert names['logits'].shape == (2, 4)
