"""LGD networks (Local and Global Diffusion) as an MMAction2 plugin.

Importing this package mends what is broken in the published releases it
stands on, then registers every component in ``mmaction.registry``. Configs
do it with ``custom_imports = dict(imports=['lgd_mmaction'],
allow_failed_imports=False)``. Without configs and runner::

    model = lgd_mmaction.create_model('lgd3d_r50', num_classes=101)
"""

import warnings
from typing import Any

from lgd_mmaction.version import __version__

# The host and its stack warn of their own calls when they are imported, which
# nobody who imports this package can answer.
with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    from lgd_mmaction.upstream_fixes import apply_upstream_fixes

    # before the first import of mmaction.models, which fails without it
    apply_upstream_fixes()

    from lgd_mmaction import datasets, detection, engine, models

# imported when they are asked for
_LAZY = {
    'create_model': 'factory',
    'list_models': 'factory',
    'LGDModel': 'lgd_model',
    'separate_loss': 'lgd_model',
    'joint_loss': 'lgd_model',
}

__all__ = ['__version__', 'datasets', 'detection', 'engine', 'models', *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f'module {__name__} has no attribute {name!r}')
    from importlib import import_module

    home = import_module(f'lgd_mmaction.models.{_LAZY[name]}')
    return getattr(home, name)
