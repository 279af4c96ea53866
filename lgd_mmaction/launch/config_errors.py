"""Say in which line of which config something is wrong.

mmengine merges a config from several files and builds components from it; a
slip then shows up as a traceback that names neither. Here a config is read
and its components are compared with what their classes take, before anything
is built; messages say ``file:line``.
"""

import contextlib
import difflib
import inspect
import itertools
import re
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    EVALUATOR,
    FUNCTIONS,
    HOOKS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    TRANSFORMS,
    Registry,
)

from lgd_mmaction.errors import ConfigError, LGDError

# what the types in each part of a config are names of
_REGISTRIES: dict[str, tuple[Registry, ...]] = {
    'model': (MODELS,),
    'default_hooks': (HOOKS,),
    'custom_hooks': (HOOKS,),
    'optim_wrapper': (OPTIM_WRAPPERS, OPTIMIZERS),
    **dict.fromkeys(
        ('train_dataloader', 'val_dataloader', 'test_dataloader'),
        (DATASETS, DATA_SAMPLERS, FUNCTIONS),
    ),
    **dict.fromkeys(('val_evaluator', 'test_evaluator'), (METRICS, EVALUATOR)),
}
# taken out by the runner before it builds
_RUNNER_KEYS = {'type', '_scope_', 'priority', 'constructor'}


def read_config(path: str) -> Config:
    """``Config.fromfile``, with one sentence for what a user got wrong.

    Raises:
        ConfigError: The file, or one that it inherits from, cannot be read
            or run; names file and line.
    """
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
        if frame.f_globals.get('__name__') == Config.__module__:
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


def locate(path: str | Path, pattern: str) -> str:
    """``file:line`` where a config, or what it inherits, says something.

    Options of the command line are in no file.
    """
    found = [
        f'{file}:{number}'
        for file in config_files(path)
        for number, line in enumerate(
            file.read_text(errors='replace').splitlines(), 1
        )
        if re.search(pattern, line)
    ]
    return ' or '.join(found[:3]) or f'{path} (or the command line)'


def check_components(cfg: Config, path: str | Path) -> None:
    """Compare the components of a config with what their classes take.

    Looked at are the model and its parts, data sets and their pipelines,
    metrics, hooks and the optimizer.

    Args:
        cfg: The config with all options merged.
        path: Its file, for the lines.

    Raises:
        ConfigError: A component, or one of its arguments, does not exist, or
            a number was written as text.
    """
    model = cfg.get('model')
    # parts of a model are built in its scope
    scope = model.get('_scope_') if isinstance(model, dict) else None
    scopes = [scope, cfg.get('default_scope')]
    for top, registries in _REGISTRIES.items():
        for key, part in _typed((top,), cfg.get(top)):
            if 'pipeline' in key:
                registries = (TRANSFORMS,)
            _check_part(key, part, registries, path, scopes)


def _typed(key: tuple[str, ...], value: Any) -> Iterator[tuple]:
    """Every dict with a type in a part of a config, and its keys."""
    if isinstance(value, (list, tuple)):
        value = {str(i): item for i, item in enumerate(value)}
    if not isinstance(value, dict):
        return
    if isinstance(value.get('type'), str):
        yield key, value
        if key[0] == 'model' and len(key) > 1:
            return  # what a part of the model builds is its business
    for name, inner in value.items():
        if not str(name).endswith('_cfg'):
            yield from _typed((*key, str(name)), inner)


def _check_part(
    key: tuple[str, ...],
    part: dict,
    registries: Iterable[Registry],
    path: str | Path,
    scopes: list[str | None],
) -> None:
    kind, where = part['type'], '.'.join(key)
    component = None
    for root, scope in itertools.product(
        registries, (part.get('_scope_'), *scopes)
    ):
        with root.switch_scope_and_registry(scope or 'mmaction') as registry:
            component = component or registry.get(kind)
    if component is None:
        known = [name for r in registries for name in _names(r)]
        place = locate(path, rf'[\'"]{re.escape(kind)}[\'"]')
        raise ConfigError(
            f'{place}: {where}: there is no component {kind!r}'
            f'{_hint(kind, known)}; correct the name, or import its module '
            'in custom_imports'
        )
    parameters = _parameters(component)
    if parameters is None:
        return
    for name, value in part.items():
        if name in _RUNNER_KEYS:
            continue
        written = rf'\b{re.escape(str(name))}[\'"]?\s*[=:]'
        if name not in parameters:
            raise ConfigError(
                f'{locate(path, written)}: {where}: {kind} takes no argument '
                f'{name!r}{_hint(name, parameters)}'
            )
        wanted = parameters[name]
        if wanted in (int, float, bool) and isinstance(value, str):
            written += rf'\s*[\'"]{re.escape(value)}'
            raise ConfigError(
                f'{locate(path, written)}: {where}: {name} of {kind} is '
                f'{value!r}, not of type {wanted.__name__}'
            )


def _names(registry: Registry) -> list[str]:
    """Names of a registry and of all below it."""
    names = list(registry.module_dict)
    for child in registry.children.values():
        names += _names(child)
    return names


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), list(known), 1)
    return f'; did you mean {close[0]!r}?' if close else ''


def _parameters(component: Any) -> dict[str, Any] | None:
    """Arguments of a class with their annotations; None: it takes any."""
    if not inspect.isclass(component):
        return None
    taken: dict[str, Any] = {}
    for base in component.__mro__:
        if base is object or '__init__' not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        variable = [p.kind for p in parameters if p.kind.name[:4] == 'VAR_']
        for p in list(parameters)[1:]:
            if p.kind not in variable:
                taken.setdefault(p.name, p.annotation)
        # **kwargs goes on to the next class
        if inspect.Parameter.VAR_KEYWORD not in variable:
            return taken
    return None
