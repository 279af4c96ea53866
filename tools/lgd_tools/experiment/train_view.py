"""Of a config, what the weights of a training depend on.

Other numbers of test views or another test list ask for another test, not
for another training of days; so a training is known by this view of its
config and a test by the whole config.
"""

from collections.abc import Mapping
from typing import Any

# cannot change the weights, by the key that they stand under; '' is the config
_ASIDE = {
    '': ('work_dir', 'launcher', 'resume', 'env_cfg', 'log_level',
         'log_processor', 'vis_backends', 'visualizer'),
    'model': ('test_cfg',),
    'cls_head': ('average_clips',),
    # the checkpoint hook decides which files are kept, not what is in them
    'default_hooks': ('runtime_info', 'timer', 'logger', 'visualization',
                      'checkpoint'),
    'train_dataloader': ('num_workers', 'persistent_workers', 'pin_memory',
                         'prefetch_factor'),
}  # fmt: skip


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
    """
    aside, roles = _ASIDE, 'test_'
    if not validation_decides(settings):
        aside = {**aside, 'train_cfg': ('val_begin', 'val_interval')}
        roles = ('test_', 'val_')

    def view(part: Mapping[str, Any], name: str = '') -> dict[str, Any]:
        kept = {
            key: view(value, key) if key in aside else value
            for key, value in part.items()
            if key not in aside.get(name, ())
        }
        # empty: as where nothing of it was ever set
        return {k: v for k, v in kept.items() if v != {} or k not in aside}

    return view({k: v for k, v in settings.items() if not k.startswith(roles)})
