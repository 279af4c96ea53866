"""Say in which line of which config something is wrong.

mmengine merges a config from several files and builds components from it; a
slip then shows up as a traceback that names neither. Here it becomes one
sentence with ``file:line``.
"""

import contextlib
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config

from lgd_mmaction.errors import ConfigError, LGDError

# what mmengine's registries and Python say of a name that does not exist
_SLIP = (
    r'(\w+) is not in the \S+ registry|'
    r"__init__\(\) got an unexpected keyword argument '(\w+)'"
)


def read_config(path: str) -> Config:
    """``Config.fromfile``, with a ConfigError that names file and line."""
    try:
        return Config.fromfile(path)
    except LGDError:  # a component's own sentence
        raise
    except Exception as error:
        text = ' '.join(str(error).split())[:300]
        raise ConfigError(
            f'{_place_of(error) or path}: {type(error).__name__}: {text}; '
            'mend the config'
        ) from error


def _place_of(error: Exception) -> str | None:
    """``file:line`` of the config that was being read or run."""
    file, line = None, 1
    for frame, number in traceback.walk_tb(error.__traceback__):
        name = frame.f_globals.get('__name__'), frame.f_code.co_name
        # _get_base_files reads a copy
        if name[0] == Config.__module__ and name[1] != '_get_base_files':
            file, line = frame.f_locals.get('filename', file), 1
        elif frame.f_code.co_name == '<module>' and file:
            line = number
    for slip in (error, error.__context__):
        if isinstance(slip, SyntaxError) and slip.lineno:
            line = slip.lineno
    return file and f'{file}:{line}'


def config_files(path: str | Path) -> list[Path]:
    """A config and all that it inherits from, the nearest first."""
    found, queue = [], [Path(path)]
    for file in queue:  # grows
        if file.is_file() and file not in found:
            found.append(file)
            # a damaged one is read_config's business
            with contextlib.suppress(Exception):
                bases = Config._get_base_files(str(file))
                queue += [file.parent / base for base in bases]
    return found


@contextlib.contextmanager
def naming_slips(path: str | Path) -> Iterator[None]:
    """Say where a component or an argument stands that does not exist.

    A ConfigError takes the place of the error of the registry or the class.
    (One about a name that is not in the config stays: it is the code's.)

    Args:
        path: The config whose parts are built in the body.
    """
    try:
        yield
    except (KeyError, TypeError) as error:
        text = ' '.join(str(error.args[0] if error.args else '').split())
        slip = re.search(_SLIP, text)
        places = _places(path, slip[1] or slip[2]) if slip else []
        if not places:
            raise
        raise ConfigError(
            f'{" or ".join(places[:3])}: {text.split(". Please")[0]}; correct '
            'the name, or import its module in custom_imports'
        ) from error


def _places(path: str | Path, name: str) -> list[str]:
    """Where a config, what it inherits, or the command line has a name."""
    word = re.compile(rf'\b{name}\b')
    found = [
        f'{file}:{number}'
        for file in config_files(path)
        for number, line in enumerate(
            file.read_text(errors='replace').splitlines(), 1
        )
        if word.search(line)
    ]
    return found + ['the command line'] * any(map(word.search, sys.argv))
