"""Say in which line of which config something is wrong.

mmengine merges a config from several files and builds components from it; a
slip then shows up as a traceback that names neither. Here a config is read
and its main components are compared with what their classes take, before
anything is built; every message begins with ``file:line:``.
"""

import ast
import difflib
import inspect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import (
    DATASETS,
    EVALUATOR,
    HOOKS,
    METRICS,
    MODELS,
    OPTIMIZERS,
    TRANSFORMS,
    Registry,
)

from lgd_mmaction.errors import ConfigError, LGDError

Path_ = tuple[str, ...]
_MODEL_PARTS = ('backbone', 'neck', 'cls_head', 'data_preprocessor')
# taken out by the runner before it builds
_RUNNER_KEYS = {'type', '_scope_', 'priority'}


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
        for file in config_files(path):
            try:
                ast.parse(file.read_bytes(), str(file))
            except SyntaxError as slip:
                raise ConfigError(
                    f'{file}:{slip.lineno or 1}: syntax error: {slip.msg}'
                ) from error
            except (OSError, ValueError, RecursionError) as slip:
                raise ConfigError(
                    f'{file}:1: cannot be read: {slip}'
                ) from error
        where = _line_of(error) or f'{path}:1'
        text = ' '.join(str(error).split())[:300]
        raise ConfigError(
            f'{where}: {type(error).__name__}: {text}; mend the config'
        ) from error


def _line_of(error: BaseException) -> str | None:
    """``file:line`` of the config that was being run."""
    trace, file, where = error.__traceback__, None, None
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_name == '_file2dict':
            file, where = frame.f_locals.get('filename'), None
        elif frame.f_code.co_name == '<module>' and file:
            where = f'{file}:{trace.tb_lineno}'
        trace = trace.tb_next
    return where or (f'{file}:1' if file else None)


def config_files(path: str | Path) -> list[Path]:
    """A config and all that it inherits from, the nearest first."""
    found, queue = [], [Path(path)]
    while queue:
        file = queue.pop(0)
        if file in found or file.suffix != '.py':
            continue
        found.append(file)
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        for key, _, value in _entries(tree):
            text = value.value if isinstance(value, ast.Constant) else None
            if key[0] == '_base_' and isinstance(text, str):
                base = file.parent / text
                if '://' not in text and '::' not in text and base.is_file():
                    queue.append(base)
    return found


def _entries(tree: ast.Module) -> Iterator[tuple[Path_, int, ast.expr]]:
    """(keys, line, value) of everything that a config assigns."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield from _inner((target.id,), node.lineno, node.value)


def _inner(
    key: Path_, line: int, value: ast.expr
) -> Iterator[tuple[Path_, int, ast.expr]]:
    yield key, line, value
    if isinstance(value, ast.Call):
        for word in value.keywords:
            if word.arg:
                yield from _inner((*key, word.arg), word.lineno, word.value)
    elif isinstance(value, ast.Dict):
        for name, item in zip(value.keys, value.values, strict=True):
            if isinstance(name, ast.Constant):
                text = str(name.value)
                yield from _inner((*key, text), name.lineno, item)
    elif isinstance(value, ast.DictComp):
        yield from _inner((*key, '*'), value.value.lineno, value.value)
    elif isinstance(value, (ast.List, ast.Tuple)):
        for i, item in enumerate(value.elts):
            yield from _inner((*key, str(i)), item.lineno, item)


def locate(path: str | Path, key: Path_) -> str:
    """``file:line`` where a key of the merged config was written.

    A part of a config may be written under another name (``train_pipeline``),
    so the entry that agrees in most of its last keys is taken, and of equals
    the one in the nearest file. Options of the command line are in no file.
    """
    best, place = 0, f'{path} (or the command line)'
    for file in config_files(path):
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        for found, line, _ in _entries(tree):
            same = 0
            for one, other in zip(
                reversed(found), reversed(key), strict=False
            ):
                if one != other:
                    break
                same += 1
            if same > best:
                best, place = same, f'{file}:{line}'
    return place


# --------------------------------------------------------------- components
@dataclass
class _Part:
    key: Path_
    config: Any
    registries: tuple[Registry, ...]


def check_components(cfg: Config, path: str | Path) -> None:
    """Compare the main components of a config with what their classes take.

    Looked at are the model and its parts, data sets and their pipelines,
    metrics, hooks and the optimizer.

    Args:
        cfg: The config with all options merged.
        path: Its file, for the lines.

    Raises:
        ConfigError: A component, or one of its arguments, does not exist, or
            a number was written as text.
    """
    for part in _parts(cfg):
        if part.config is None:
            continue
        if not isinstance(part.config, dict):
            raise ConfigError(
                f'{locate(path, part.key)}: {".".join(part.key)} is '
                f'{part.config!r}, not a dict(type=...)'
            )
        # parts of a model are built in its scope
        model = cfg.get('model')
        outer = model.get('_scope_') if isinstance(model, dict) else None
        scopes = [part.config.get('_scope_'), outer, cfg.get('default_scope')]
        _check_part(part, path, [s or 'mmaction' for s in scopes])


def _parts(cfg: Config) -> Iterator[_Part]:
    model = cfg.get('model')
    if 'model' in cfg:
        yield _Part(('model',), model, (MODELS,))
    for name in _MODEL_PARTS if isinstance(model, dict) else ():
        yield _Part(('model', name), model.get(name), (MODELS,))
    for role in ('train', 'val', 'test'):
        key = f'{role}_dataloader'
        loader = cfg.get(key)
        if isinstance(loader, dict):
            yield from _dataset_parts((key, 'dataset'), loader.get('dataset'))
        elif loader is not None:
            yield _Part((key,), loader, ())
        key = f'{role}_evaluator'
        yield from _each((key,), cfg.get(key), (METRICS, EVALUATOR))
    for key in ('default_hooks', 'custom_hooks'):
        hooks = cfg.get(key)
        if isinstance(hooks, dict):
            for name, hook in hooks.items():
                yield _Part((key, name), hook, (HOOKS,))
        else:
            yield from _each((key,), hooks, (HOOKS,))
    wrapper = cfg.get('optim_wrapper')
    if isinstance(wrapper, dict):
        yield _Part(
            ('optim_wrapper', 'optimizer'),
            wrapper.get('optimizer'),
            (OPTIMIZERS,),
        )


def _each(key: Path_, items: Any, registries: tuple) -> Iterator[_Part]:
    if isinstance(items, (list, tuple)):
        for i, item in enumerate(items):
            yield _Part((*key, str(i)), item, registries)
    else:
        yield _Part(key, items, registries)


def _dataset_parts(key: Path_, dataset: Any) -> Iterator[_Part]:
    yield _Part(key, dataset, (DATASETS,))
    if not isinstance(dataset, dict):
        return
    if 'dataset' in dataset:
        yield from _dataset_parts((*key, 'dataset'), dataset['dataset'])
    for i, inner in enumerate(dataset.get('datasets') or ()):
        yield from _dataset_parts((*key, 'datasets', str(i)), inner)
    pipeline = dataset.get('pipeline')
    yield from _each((*key, 'pipeline'), pipeline or None, (TRANSFORMS,))


def _check_part(part: _Part, path: str | Path, scopes: list[str]) -> None:
    kind = part.config.get('type')
    if not isinstance(kind, str):
        return  # a class, or a wrapper without a type
    component = None
    for root, scope in itertools.product(part.registries, scopes):
        with root.switch_scope_and_registry(scope) as registry:
            component = component or registry.get(kind)
    if component is None:
        known = [n for r in part.registries for n in _names(r)]
        raise ConfigError(
            f'{locate(path, (*part.key, "type"))}: {".".join(part.key)}: '
            f'there is no component {kind!r}{_hint(kind, known)}; correct '
            'the name, or import its module in custom_imports'
        )
    parameters = _parameters(component)
    for name, value in part.config.items():
        if name in _RUNNER_KEYS or parameters is None:
            continue
        if name not in parameters:
            raise ConfigError(
                f'{locate(path, (*part.key, name))}: {".".join(part.key)}: '
                f'{kind} takes no argument {name!r}{_hint(name, parameters)}'
            )
        wanted = parameters[name]
        if wanted in (int, float, bool) and isinstance(value, str):
            raise ConfigError(
                f'{locate(path, (*part.key, name))}: {".".join(part.key)}: '
                f'{name} of {kind} is {value!r}, not of type '
                f'{wanted.__name__}'
            )


def _names(registry: Registry) -> list[str]:
    """Names of a registry and of all below it."""
    names = list(registry.module_dict)
    for child in registry.children.values():
        names += _names(child)
    return names


def _hint(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f'; did you mean {close[0]!r}?' if close else ''


def _parameters(component: Any) -> dict[str, Any] | None:
    """Arguments of a class with their annotations; None: it takes any."""
    if not inspect.isclass(component):
        return None
    taken: dict[str, Any] = {}
    for base in component.__mro__:
        if '__init__' not in vars(base):
            continue
        if base is object:
            break
        signature = inspect.signature(base.__init__)
        kinds = [p.kind for p in signature.parameters.values()]
        for name, parameter in list(signature.parameters.items())[1:]:
            if parameter.kind not in (
                parameter.VAR_KEYWORD,
                parameter.VAR_POSITIONAL,
            ):
                taken.setdefault(name, parameter.annotation)
        # **kwargs goes on to the next class
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            return taken
    return None
