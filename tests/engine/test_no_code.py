"""The text of a config in a checkpoint is a program; it must not run."""

from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmaction.apis.inferencers import ActionRecogInferencer
from mmengine.config import Config

from lgd_mmaction.errors import ConfigError


@pytest.fixture
def bad(tiny: ModuleType, tmp_path: Path) -> Path:
    """A checkpoint whose texts write a file when they are executed."""
    tiny.train(tiny.tiny_config(tmp_path / 'run', max_epochs=1))
    content = tiny.checkpoint(tmp_path / 'run', 1)
    payload = f'open({str(tmp_path / "ran")!r}, "w").close()\nmodel = dict()\n'
    content['meta'].update(config=payload, cfg=payload)
    content['message_hub']['runtime_info']['cfg'] = payload
    torch.save(content, tmp_path / 'bad.pth')
    # the danger is real
    Config.fromstring(payload, '.py')
    (tmp_path / 'ran').unlink()
    return tmp_path / 'bad.pth'


def test_resuming_runs_none(
    tiny: ModuleType, bad: Path, tmp_path: Path
) -> None:
    cfg = tiny.tiny_config(tmp_path / 'next', max_epochs=2)
    cfg.load_from = str(bad)
    runner = tiny.train(cfg, resume=True)
    assert runner.iter == 4
    assert not (tmp_path / 'ran').exists()


def test_an_inferencer_wants_a_config(bad: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='a program'):
        ActionRecogInferencer(model=None, weights=str(bad), device='cpu')
    assert not (tmp_path / 'ran').exists()
