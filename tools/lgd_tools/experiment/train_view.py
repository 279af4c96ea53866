"""Of a config, what the weights of a training depend on.

Other numbers of test views or another test list ask for another test, not
for another training of days; so a training is known by this view of its
config and a test by the whole config.
"""

from collections.abc import Mapping
from typing import Any

# decided by the runner, or logging and surroundings
_NOT_TRAINING = (
    *('work_dir', 'launcher', 'resume', 'env_cfg'),
    *('log_level', 'log_processor', 'vis_backends', 'visualizer'),
)
# the checkpoint hook decides which files are kept, not what is in them
_SHOWING_HOOKS = (
    *('runtime_info', 'timer', 'logger', 'visualization', 'checkpoint'),
)
_LOADING = (
    *('num_workers', 'persistent_workers', 'pin_memory'),
    'prefetch_factor',
)


def validation_decides(settings: Mapping[str, Any]) -> bool:
    """Whether results on the validation list reach back into the training."""
    hooks = settings.get('custom_hooks') or []
    schedulers = settings.get('param_scheduler') or []
    if isinstance(schedulers, Mapping):
        schedulers = [schedulers]
    names = [str(part.get('type')) for part in [*hooks, *schedulers]]
    return any('EarlyStopping' in n or 'OnPlateau' in n for n in names)


def train_view(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that cannot change the weights.

    Left out are the test and the validation (unless the training listens to
    it, as early stopping does), how samples are loaded, logging and pictures.

    Args:
        settings: A whole config, as plain data; not changed.
    """
    aside = ['test_']
    if not validation_decides(settings):
        aside.append('val_')
    view = {
        key: value
        for key, value in settings.items()
        if key not in _NOT_TRAINING and not key.startswith(tuple(aside))
    }
    _trim(view, 'model', ('test_cfg',))
    if 'model' in view:
        _trim(view['model'], 'cls_head', ('average_clips',))
    _trim(view, 'default_hooks', _SHOWING_HOOKS)
    for key in list(view):
        if key.endswith('_dataloader'):
            _trim(view, key, _LOADING)
    if 'val_' in aside:
        _trim(view, 'train_cfg', ('val_begin', 'val_interval'))
    return view


def _trim(parent: dict[str, Any], key: str, without: tuple[str, ...]) -> None:
    """Replaces a part by a copy that lacks some keys."""
    part = parent.get(key)
    if not isinstance(part, Mapping):
        return
    kept = {k: v for k, v in part.items() if k not in without}
    if kept:
        parent[key] = kept
    else:  # as where nothing of it was ever set
        del parent[key]
