"""A config of folder.py, its untrained network, and a few clips."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

from lgd_mmaction.launch.config_errors import read_config
from lgd_tools.lists import folder
from lgd_tools.video import write_video


class Trained(NamedTuple):
    config: Path
    checkpoint: Path
    videos: Path  # folder of class folders


@pytest.fixture(scope='session')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    root = tmp_path_factory.mktemp('trained')
    rng = np.random.default_rng(0)
    for name in ('jump', 'run'):
        for i in range(4):
            size = (48, 64) if i % 2 else (64, 48)
            clip = rng.integers(0, 255, (20 + 3 * i, *size, 3), np.uint8)
            write_video(root / 'videos' / name / f'{i}.mp4', clip, fps=10)
    out = root / 'mine'
    argv = ['--videos', root / 'videos', '--out', out, '--recipe', 'small']
    argv += ['--workers', 1, '--val-fraction', 0.5]
    assert folder.main([str(a) for a in argv]) == 0
    config = out / 'mine.py'
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(read_config(str(config)).model)
    model.init_weights()
    for module in model.cls_head.children():  # scores far from 0 and 1
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.002)
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, out / 'a.pth')
    return Trained(config, out / 'a.pth', root / 'videos')
