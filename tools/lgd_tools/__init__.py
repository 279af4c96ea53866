"""The library of the commands.

``lgd_mmaction`` imports torch and mmaction2. Its errors and its unpickler
need neither, so they are loaded here without it: ``--help`` answers at once.
"""

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path


def _load(name: str) -> None:
    """Put ``lgd_mmaction.<name>`` where every import of it looks first."""
    full = f'lgd_mmaction.{name}'
    if full not in sys.modules:
        path = Path(find_spec('lgd_mmaction').origin).with_name(f'{name}.py')
        spec = spec_from_file_location(full, path)
        sys.modules[full] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])


if 'lgd_mmaction' not in sys.modules:
    for _name in ('errors', 'pickles'):
        _load(_name)
