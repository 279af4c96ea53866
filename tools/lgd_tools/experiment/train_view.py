"""Of a config, what the weights of a training depend on.

Other numbers of test views or another test list ask for another test, not
for another training of days; so a training is known by this view of its
config and a test by the whole config.
"""

from collections.abc import Iterator, Mapping
from typing import Any

# beginnings of names that cannot change the weights
_ASIDE = (
    *('work_dir', 'launcher', 'resume', 'env_cfg', 'log_', 'vis', 'test_'),
    *('val_', 'train_cfg.val_'),
    *('model.test_cfg', 'model.cls_head.average_clips'),
    # the checkpoint hook decides which files are kept, not what is in them
    *('default_hooks.runtime_info', 'default_hooks.timer'),
    *('default_hooks.logger', 'default_hooks.visualization'),
    'default_hooks.checkpoint',
    *('train_dataloader.num_workers', 'train_dataloader.persistent_workers'),
    *('train_dataloader.pin_memory', 'train_dataloader.prefetch_factor'),
)


def train_view(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that can change the weights, by their dotted names."""
    every = _leaves(settings, '')
    return {k: v for k, v in every if not k.startswith(_ASIDE)}


def _leaves(part: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(part, Mapping):
        yield name, part
        return
    for key, value in part.items():
        yield from _leaves(value, f'{name}.{key}' if name else str(key))
