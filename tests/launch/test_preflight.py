"""One clear sentence for each file that a run cannot use."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from lgd_mmaction.errors import CheckpointError, ConfigError
from lgd_mmaction.launch.preflight import check_config


def config() -> Config:
    return Config(dict(model=dict(backbone=dict(type='LGDResNet3d'))))


def sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert '\n' not in text
    return text


def test_what_is_there_passes() -> None:
    check_config(config())
    check_config(config(), test=True)


def test_several_clips_of_a_video_need_their_collate() -> None:
    cfg = config()
    cfg.train_dataloader = dict(dataset=dict(clips_per_video=4))
    with pytest.raises(ConfigError, match='spread_clips') as error:
        check_config(cfg)
    assert 'train_dataloader.collate_fn' in sentence(error)
    cfg.train_dataloader.collate_fn = dict(type='spread_clips')
    check_config(cfg)


def test_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        check_config(config(), True, str(tmp_path / 'no.pth'))
    text = sentence(error)
    assert str(tmp_path / 'no.pth') in text
    assert 'the checkpoint argument' in text


@pytest.mark.parametrize('kind', ['text', 'empty', 'cut short', 'a tensor'])
def test_unreadable_checkpoint(tmp_path: Path, kind: str) -> None:
    path = tmp_path / 'bad.pth'
    torch.save({'state_dict': {'w': torch.ones(999)}}, path)
    if kind == 'text':
        path.write_text('<html>not found</html>')
    elif kind == 'empty':
        path.write_bytes(b'')
    elif kind == 'cut short':
        path.write_bytes(path.read_bytes()[:500])
    else:
        torch.save(torch.ones(3), path)
    with pytest.raises(CheckpointError) as error:
        check_config(config(), True, str(path))
    text = sentence(error)
    assert str(path) in text
    assert ('holds no state dict' if kind == 'a tensor' else 'cannot be') in (
        text
    )


def test_checkpoints_that_a_config_names(tmp_path: Path) -> None:
    cfg = config()
    cfg.load_from = str(tmp_path / 'no.pth')
    with pytest.raises(CheckpointError, match='load_from'):
        check_config(cfg)
    # a test loads the checkpoint of its command line instead
    check_config(cfg, test=True)
    cfg.load_from = 'https://host/a.pth'
    cfg.model.backbone.pretrained = str(tmp_path / 'none.pth')
    with pytest.raises(CheckpointError, match=r'model\.backbone\.pretrained'):
        check_config(cfg)
    cfg.model.backbone.pretrained = 'torchvision://resnet50'
    check_config(cfg)


@pytest.mark.parametrize(
    'model, message',
    [
        (
            dict(
                backbone=dict(type='LGDResNet3dSlowOnly', depth=50),
                cls_head=dict(type='I3DHead', in_channels=2048),
            ),
            'takes one feature map, but LGDResNet3dSlowOnly returns the pair',
        ),
        (
            dict(
                backbone=dict(type='SwinTransformer3D'),
                neck=dict(type='DiffusionNeck', in_channels=(384, 768)),
                cls_head=dict(type='TSNHead', in_channels=768),
            ),
            'takes one feature map, but DiffusionNeck returns the pair',
        ),
    ],
)
def test_a_head_that_does_not_fit_is_named(model: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_config(Config(dict(model=model)))


@pytest.mark.parametrize(
    'backbone, head',
    [
        (dict(type='LGDResNet3d', depth=50), ('SlowFastHead', 4096)),
        (dict(type='LGDResNet3d', diffusion=None), ('I3DHead', 2048)),
        (dict(type='ResNet3d', depth=50), ('I3DHead', 2048)),
        (dict(type='LGDResNet3d', depth=50), ('KernelizedHead', 2048)),
    ],
)
def test_heads_that_fit_pass(backbone: dict, head: tuple) -> None:
    kind, channels = head
    model = dict(
        backbone=backbone, cls_head=dict(type=kind, in_channels=channels)
    )
    check_config(Config(dict(model=model)))
