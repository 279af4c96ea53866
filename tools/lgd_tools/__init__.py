"""The library of the commands.

Importing ``lgd_mmaction`` loads torch and mmaction2 and registers components
there. Commands need some of its modules without that: ``--help`` answers at
once, and a process that decodes videos stays small.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def load(name: str) -> ModuleType:
    """Import ``lgd_mmaction.<name>`` without the package's ``__init__``.

    An empty package stands in for ``lgd_mmaction`` meanwhile; the real one
    is imported when somebody wants the whole of it, perhaps later.
    """
    package = 'lgd_mmaction'
    if package in sys.modules:
        return import_module(f'{package}.{name}')
    stand_in = ModuleType(package)
    stand_in.__path__ = find_spec(package).submodule_search_locations
    sys.modules[package] = stand_in
    try:
        return import_module(f'{package}.{name}')
    finally:
        del sys.modules[package]


for _name in ('errors', 'files', 'pickles', 'detection'):
    load(_name)
