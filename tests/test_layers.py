"""Who may import whom: read from the syntax trees of all files."""

import ast
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
# rooms of lgd_mmaction from the bottom: each may import those above its line
LAYERS = [
    'errors version',
    'files pickles',
    'checkpoints',
    'upstream_fixes',
    'video models',
    'detection',
    'datasets',
    'engine',
    'launch',
]
FOR_TOOLS = {'errors', 'files', 'pickles', 'checkpoints', 'detection'}
# these run networks
WITH_NETWORKS = {'recognizer', 'deployment', 'global_path', 'prediction'}
FOR_NETWORKS = FOR_TOOLS | {'models', 'launch', 'video'}


def dotted(path: Path) -> str:
    """Name of a module; a command is called tools.<folder>.<name>."""
    parts = path.relative_to(ROOT).with_suffix('').parts
    parts = parts[parts[:2] == ('tools', 'lgd_tools') :]
    return '.'.join(parts).removesuffix('.__init__')


FILES = {
    dotted(path): path
    for folder in ('lgd_mmaction', 'tools')
    for path in sorted((ROOT / folder).rglob('*.py'))
}


def imports(name: str, late: bool = True) -> set[str]:
    """What a module imports; `late`: in its functions too."""
    found, path = set(), FILES[name]
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if late else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            home = name.split('.') + ['.'] * (path.stem == '__init__')
            home = home[: -node.level] if node.level else []
            origin = '.'.join(home + [node.module] * bool(node.module))
            whole = {f'{origin}.{a.name}' for a in node.names} & FILES.keys()
            found |= whole or {origin}
    return found


def rooms(names: set[str]) -> set[str]:
    """Rooms of lgd_mmaction; '' is the package itself."""
    parts = [name.split('.') for name in names]
    return {p[1] if p[1:] else '' for p in parts if p[0] == 'lgd_mmaction'}


def test_the_trees_are_read() -> None:
    found = imports('lgd_mmaction.engine.tube_metric')
    assert {'lgd_mmaction.detection.annotations', 'numpy'} <= found
    assert {'models', 'engine', 'upstream_fixes'} <= rooms(
        imports('lgd_mmaction')
    )


def test_no_arrow_upwards() -> None:
    wrong, below, allowed = [], set(), {}
    for layer in LAYERS:
        allowed |= {room: below | {room} for room in layer.split()}
        below = below | set(layer.split())
    for name in FILES:
        top, room, *_ = [*name.split('.'), '']
        found = imports(name)
        others = {target.split('.')[0] for target in found}
        if top == 'lgd_mmaction':
            may = allowed[room] if room else below
            bad = rooms(found) - may | others & {'lgd_tools'}
        elif top == 'lgd_tools':
            # a benchmark measures what it likes
            runs = WITH_NETWORKS & {room, name.split('.')[-1]}
            bad = rooms(found) - (FOR_NETWORKS if runs else FOR_TOOLS)
        elif name in ('tools.train', 'tools.test'):
            bad = rooms(found) ^ {'launch'} | others & {'lgd_tools'}
        else:
            bad = rooms(found)
        # a benchmark measures what it likes, the study trains it
        if 'benchmark' in name or name.startswith('lgd_tools.study'):
            bad = set()
        # nobody imports a command or a test
        bad |= others & {'tests', 'tools'} | found & {
            command.split('.')[-1]
            for command in FILES
            if command.startswith('tools.')
        }
        wrong += [f'{name} -> {each}' for each in sorted(bad)]
    assert wrong == []


def test_no_circle() -> None:
    graph = {name: imports(name, late=False) & FILES.keys() for name in FILES}
    order = TopologicalSorter(graph).static_order()
    assert len(list(order)) == len(FILES)


def test_no_path_is_edited() -> None:
    assert [n for n, p in FILES.items() if 'sys.path' in p.read_text()] == []


def test_small_files_in_small_folders() -> None:
    files = [
        path
        for folder in ('lgd_mmaction', 'tools', 'tests')
        for path in (ROOT / folder).rglob('*.py')
    ]
    crowded = Counter(path.parent for path in files)
    assert {f: n for f, n in crowded.items() if n > 14} == {}
    lines = {path: path.read_text().count('\n') for path in files}
    assert {path: n for path, n in lines.items() if n > 400} == {}
    assert crowded[ROOT / 'lgd_mmaction'] <= 7
