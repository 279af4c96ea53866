"""Look at the files that a config names before a run starts.

A missing list, video folder or checkpoint otherwise shows up after the model
is built, deep in a traceback. Each problem is one sentence that names the
path, the place in the config and the remedy.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from lgd_mmaction.errors import CheckpointError, ConfigError, DataError
from lgd_mmaction.pickles import load_weights

# which command writes the lists of a data set, by a word in its paths
_CONVERTERS = ('kinetics', 'jhmdb', 'ucf101_24', 'ucf101', 'hmdb51')
# stock heads for one feature map
_ONE_MAP_HEADS = (
    'I3DHead',
    'X3DHead',
    'MViTHead',
    'TimeSformerHead',
    'UniFormerHead',
    'TPNHead',
    'TSNHead',
    'TSMHead',
    'TRNHead',
    'GCNHead',
)


def check_config(
    cfg: Config, test: bool = False, checkpoint: str | None = None
) -> None:
    """Check the data and the checkpoints that a run is going to read.

    Args:
        cfg: the config with all options of the command line merged.
        test: whether the run tests (else it trains, and validates).
        checkpoint: the checkpoint that the command line of a test names.

    Raises:
        DataError: if an annotation file or a data root is missing or empty.
        CheckpointError: if a checkpoint is missing or unreadable.
        ConfigError: if the head cannot take what an LGD network returns.
    """
    _check_head(cfg.get('model', {}))
    loaders = ('test',) if test else ('train', 'val')
    for name in loaders:
        loader = cfg.get(f'{name}_dataloader')
        if loader is None:
            continue
        key = f'{name}_dataloader.dataset'
        for where, dataset in _datasets(loader.get('dataset'), key):
            _check_dataset(where, dataset)
            clips = dataset.get('clips_per_video', 1)
            collate = loader.get('collate_fn') or {}
            if clips > 1 and collate.get('type') != 'spread_clips':
                raise ConfigError(
                    f'{where}.clips_per_video={clips} gives lists of clips; '
                    f'set {name}_dataloader.collate_fn=dict('
                    "type='spread_clips')"
                )
    if checkpoint is not None:
        _check_checkpoint('the checkpoint argument', checkpoint)
    elif not test:
        _check_checkpoint('load_from', cfg.get('load_from'))
    backbone = cfg.get('model', {}).get('backbone', {})
    if not test and not cfg.get('resume', False):
        _check_checkpoint(
            'model.backbone.pretrained', backbone.get('pretrained')
        )


def _check_head(model: dict) -> None:
    """Check that a stock head takes the pair (x_L, g_L), where it gets it.

    Our own head says so itself; the stock ones end in shape errors.
    """
    backbone, neck = model.get('backbone') or {}, model.get('neck') or {}
    head = model.get('cls_head') or {}
    has_neck = neck.get('type') == 'DiffusionNeck'
    is_lgd = str(backbone.get('type')).startswith('LGD')
    pair = has_neck or (is_lgd and backbone.get('diffusion', {}) is not None)
    kind = head.get('type')
    if not pair or not isinstance(kind, str) or kind == 'KernelizedHead':
        return
    source = 'DiffusionNeck' if has_neck else backbone.get('type')
    if kind == 'SlowFastHead':
        channels = _channels(neck if has_neck else backbone, has_neck)
        if head.get('in_channels') != 2 * channels:
            raise ConfigError(
                f'{source} returns two features of {channels} channels, but '
                f'cls_head.in_channels of SlowFastHead is '
                f'{head.get("in_channels")}; set it to {2 * channels}'
            )
    elif kind in _ONE_MAP_HEADS:
        raise ConfigError(
            f'cls_head.type={kind} takes one feature map, but {source} '
            'returns the pair (local, global); use KernelizedHead, or '
            'SlowFastHead with the double of in_channels'
        )


def _channels(part: dict, is_neck: bool) -> int:
    """C_L of a DiffusionNeck or of an LGD backbone."""
    if is_neck:
        channels = part['in_channels']
        return channels if isinstance(channels, int) else channels[-1]
    expansion = 1 if part.get('depth', 50) in (18, 34) else 4
    last = part.get('num_stages', 4) - 1
    return part.get('base_channels', 64) * 2**last * expansion


def _datasets(dataset: Any, key: str) -> Iterator[tuple[str, dict]]:
    """Walk through wrappers (RepeatDataset, ConcatDataset) to data sets."""
    if not isinstance(dataset, dict):
        return
    if 'dataset' in dataset:
        yield from _datasets(dataset['dataset'], f'{key}.dataset')
    for i, inner in enumerate(dataset.get('datasets') or ()):
        yield from _datasets(inner, f'{key}.datasets.{i}')
    if 'dataset' not in dataset and 'datasets' not in dataset:
        yield key, dataset


def _check_dataset(where: str, dataset: dict) -> None:
    root = dataset.get('data_root') or ''
    ann_file = dataset.get('ann_file') or ''
    if ann_file and _is_local(ann_file) and _is_local(root):
        path = _join(root, ann_file)
        if not path.is_file():
            raise DataError(
                f'the annotation file {path} does not exist '
                f'({where}.ann_file); {_remedy(path)}'
            )
        if not os.access(path, os.R_OK):
            raise DataError(
                f'the annotation file {path} cannot be read '
                f'({where}.ann_file); change its permissions'
            )
        if path.stat().st_size == 0:
            raise DataError(
                f'the annotation file {path} is empty ({where}.ann_file); '
                f'{_remedy(path)}'
            )
    proposals = dataset.get('proposal_file')
    ours = str(dataset.get('type')).endswith('ActionTubeDataset')
    if ours and proposals and _is_local(proposals) and _is_local(root):
        path = _join(root, proposals)
        if not path.is_file():
            raise DataError(
                f'the file of proposals {path} does not exist '
                f'({where}.proposal_file); make it with '
                'tools/data/detect_people.py, or set it to None to take the '
                'ground truth boxes'
            )
    for name, prefix in (dataset.get('data_prefix') or {}).items():
        if not isinstance(prefix, str) or not _is_local(prefix):
            continue
        path = _join(root, prefix)
        if str(path) != '.' and not path.is_dir():
            raise DataError(
                f'the data folder {path} does not exist '
                f'({where}.data_prefix.{name}); put or link the videos '
                f'there, or {_remedy(path)}'
            )


def _check_checkpoint(where: str, name: Any) -> None:
    """Check that a local checkpoint exists and that torch reads it."""
    if not isinstance(name, str) or not name or not _is_local(name):
        return
    path = Path(name).expanduser()
    if not path.is_file():
        raise CheckpointError(
            f'the checkpoint {path} does not exist ({where}); give the .pth '
            'file that a training run wrote into its work directory'
        )
    try:
        # mmap: only the structure is read, the weights stay on the disk
        content = load_weights(path, mmap=True)
    except CheckpointError as error:
        raise CheckpointError(f'{where}: {error}') from error
    if not isinstance(content, dict) or not content:
        raise CheckpointError(
            f'the checkpoint {path} holds no state dict ({where}) but '
            f'{type(content).__name__}; give a file that mmengine or '
            'torch.save(model.state_dict()) wrote'
        )


def _is_local(path: str) -> bool:
    """False for URLs and model-zoo keys such as ``torchvision://``."""
    return '://' not in path and not path.startswith(('s3:', 'petrel:'))


def _join(root: str, path: str) -> Path:
    """As mmengine's BaseDataset joins ``data_root`` with a path."""
    return Path(root).expanduser() / Path(path).expanduser()


def _remedy(path: Path) -> str:
    """How the missing data of a data set are made."""
    text = str(path).lower()
    script = next((c for c in _CONVERTERS if c in text), 'folder')
    return (
        f'make it with tools/data/{script}.py (--help says how) or run from '
        'the folder that holds data/'
    )
