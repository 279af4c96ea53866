"""One clear sentence for each file that a run cannot use."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from lgd_mmaction.errors import CheckpointError, ConfigError, DataError
from lgd_mmaction.launch.preflight import check_config


def config(folder: Path, **dataset: object) -> Config:
    """A config whose list and videos lie in a folder."""
    data = dict(
        type='VideoDataset',
        ann_file=str(folder / 'ucf101_train.txt'),
        data_prefix=dict(video=str(folder / 'videos')),
    )
    data.update(dataset)
    return Config(
        dict(
            model=dict(backbone=dict(type='LGDResNet3d')),
            train_dataloader=dict(dataset=data),
            val_dataloader=None,
            test_dataloader=dict(dataset=dict(data)),
        )
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'ucf101_train.txt').write_text('a.avi 0\n')
    (tmp_path / 'videos').mkdir()
    return tmp_path


def sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert '\n' not in text
    return text


def test_what_is_there_passes(folder: Path) -> None:
    check_config(config(folder))
    check_config(config(folder), test=True)


def test_missing_annotation_file(folder: Path) -> None:
    (folder / 'ucf101_train.txt').unlink()
    with pytest.raises(DataError) as error:
        check_config(config(folder))
    text = sentence(error)
    assert str(folder / 'ucf101_train.txt') in text
    assert 'train_dataloader.dataset.ann_file' in text
    assert 'tools/data/ucf101.py' in text


def test_missing_data_root(folder: Path) -> None:
    (folder / 'videos').rmdir()
    with pytest.raises(DataError) as error:
        check_config(config(folder))
    text = sentence(error)
    assert str(folder / 'videos') in text
    assert 'train_dataloader.dataset.data_prefix.video' in text


def test_data_root_is_joined_as_mmengine_does(folder: Path) -> None:
    cfg = config(
        folder,
        data_root=str(folder),
        ann_file='ucf101_train.txt',
        data_prefix=dict(video='videos'),
    )
    check_config(cfg)
    cfg.train_dataloader.dataset.data_prefix.video = 'elsewhere'
    with pytest.raises(DataError, match='elsewhere'):
        check_config(cfg)


def test_wrapped_data_sets_are_found(folder: Path) -> None:
    cfg = config(folder)
    good = cfg.train_dataloader.dataset
    bad = dict(type='VideoDataset', ann_file=str(folder / 'hmdb51.txt'))
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(type='ConcatDataset', datasets=[good, bad]),
    )
    with pytest.raises(DataError, match=r'dataset\.dataset\.datasets\.1'):
        check_config(cfg)


def test_remote_files_are_left_to_mmengine(folder: Path) -> None:
    check_config(
        config(
            folder,
            ann_file='s3://bucket/list.txt',
            data_prefix=dict(video='http://host/videos'),
        )
    )


def test_missing_checkpoint(folder: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        check_config(config(folder), True, str(folder / 'no.pth'))
    text = sentence(error)
    assert str(folder / 'no.pth') in text
    assert 'the checkpoint argument' in text


@pytest.mark.parametrize('kind', ['text', 'empty', 'cut short', 'a tensor'])
def test_unreadable_checkpoint(folder: Path, kind: str) -> None:
    path = folder / 'bad.pth'
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
        check_config(config(folder), True, str(path))
    text = sentence(error)
    assert str(path) in text
    assert ('holds no state dict' if kind == 'a tensor' else 'cannot be') in (
        text
    )


def test_checkpoints_that_a_config_names(folder: Path) -> None:
    cfg = config(folder)
    cfg.load_from = str(folder / 'no.pth')
    with pytest.raises(CheckpointError, match='load_from'):
        check_config(cfg)
    # a test loads the checkpoint of its command line instead
    check_config(cfg, test=True)
    cfg.load_from = 'https://host/a.pth'
    cfg.model.backbone.pretrained = str(folder / 'none.pth')
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
