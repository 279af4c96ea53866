"""LGD networks (Local and Global Diffusion) as an MMAction2 plugin.

Importing this package mends what is broken in the published releases it
stands on, then registers every component in ``mmaction.registry``. Configs
do it with ``custom_imports = dict(imports=['lgd_mmaction'],
allow_failed_imports=False)``.
"""

from lgd_mmaction.upstream_fixes import apply_upstream_fixes
from lgd_mmaction.version import __version__

# before the first import of mmaction.models, which fails without it
apply_upstream_fixes()

from lgd_mmaction import datasets, detection, engine, models  # noqa: E402

__all__ = ['__version__', 'datasets', 'detection', 'engine', 'models']
