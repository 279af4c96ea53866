"""Look at the files that a config names before a run starts.

A missing list, video folder or checkpoint otherwise shows up after the model
is built, deep in a traceback. Each problem is one sentence that names the
path, the place in the config and the remedy.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmaction.registry import MODELS
from mmengine.config import Config

from lgd_mmaction.errors import CheckpointError, ConfigError, DataError
from lgd_mmaction.pickles import load_weights

# which command writes the lists of a data set, by a word in its paths
_CONVERTERS = ('kinetics', 'jhmdb', 'ucf101_24', 'ucf101', 'hmdb51')


def check_config(
    cfg: Config, test: bool = False, checkpoint: str | None = None
) -> None:
    """Check the data and the checkpoints that a run is going to read.

    Args:
        cfg: the config with all options of the command line merged.
        test: whether the run tests (else it trains, and validates).
        checkpoint: the checkpoint that the command line of a test names.

    Raises:
        DataError: if an annotation file or a data root is missing.
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
    """Refuse a stock head that takes one map where it gets (x_L, g_L)."""
    backbone, neck = model.get('backbone') or {}, model.get('neck') or {}
    kind = (model.get('cls_head') or {}).get('type')
    has_neck = neck.get('type') == 'DiffusionNeck'
    is_lgd = str(backbone.get('type')).startswith('LGD')
    if not (has_neck or is_lgd and backbone.get('diffusion', {}) is not None):
        return
    head = MODELS.get(kind) if isinstance(kind, str) else kind
    is_stock = getattr(head, '__module__', '').startswith('mmaction.')
    if is_stock and kind != 'SlowFastHead':
        raise ConfigError(
            f'cls_head.type={kind} takes one feature map, but '
            f'{"DiffusionNeck" if has_neck else backbone["type"]} returns the '
            'pair (local, global); use KernelizedHead, or SlowFastHead with '
            'the double of in_channels'
        )


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

    def missing(path: Any, exists: Callable) -> Path | None:
        """The path in a config that should be there and is not."""
        if not isinstance(path, str) or '://' in path or '://' in root:
            return None
        # as mmengine's BaseDataset joins them
        joined = Path(root).expanduser() / Path(path).expanduser()
        return None if str(joined) == '.' or exists(joined) else joined

    path = missing(dataset.get('ann_file'), Path.is_file)
    if path:
        raise DataError(
            f'the annotation file {path} does not exist ({where}.ann_file); '
            f'{_remedy(path)}'
        )
    path = missing(dataset.get('proposal_file'), Path.is_file)
    if path and str(dataset.get('type')).endswith('ActionTubeDataset'):
        raise DataError(
            f'the file of proposals {path} does not exist '
            f'({where}.proposal_file); make it with '
            'tools/data/detect_people.py, or set it to None to take the '
            'ground truth boxes'
        )
    for name, prefix in (dataset.get('data_prefix') or {}).items():
        path = missing(prefix, Path.is_dir)
        if path:
            raise DataError(
                f'the data folder {path} does not exist '
                f'({where}.data_prefix.{name}); put or link the videos '
                f'there, or {_remedy(path)}'
            )


def _check_checkpoint(where: str, name: Any) -> None:
    """Check that a local checkpoint exists and that torch reads it."""
    if not isinstance(name, str) or not name or '://' in name:
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


def _remedy(path: Path) -> str:
    """How the missing data of a data set are made."""
    text = str(path).lower()
    script = next((c for c in _CONVERTERS if c in text), 'folder')
    return (
        f'make it with tools/data/{script}.py (--help says how) or run from '
        'the folder that holds data/'
    )
