"""The tables of docs/configs.md and configs/metafile.yml, from the configs.

configs/table.yml has the groups and the numbers; data, network, epochs and
batch are read from the configs. With --check nothing is written, and the
exit code is 1 where a file is not what would be written.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lgd_tools.cli import ToolError, make_parser, markdown_table, write_text

EXAMPLE = 'python tools/configs_table.py'
# by the folder under data/
DATA_SETS = {
    'kinetics400': 'Kinetics-400',
    'kinetics600': 'Kinetics-600',
    'ucf101': 'UCF101',
    'hmdb51': 'HMDB51',
    'jhmdb': 'J-HMDB',
    'ucf101_24': 'UCF101-24',
    'quickstart': 'Generated clips',
    'quickstart_tubes': 'Generated videos',
}
START, END = '<!-- tables: tools/configs_table.py -->', '<!-- end -->'
META_HEAD = """\
# The index that mim reads, written by tools/configs_table.py: one entry a
# config. No results and no weights: nothing was measured here (docs/configs.md
# has the published numbers).
Collections:
  - Name: LGD
    README: README.md
    Paper:
      URL: https://arxiv.org/abs/1906.05571
      Title: >-
        Learning Spatio-Temporal Representation with Local and Global
        Diffusion

Models:
"""
META_ENTRY = """\
  - Name: {stem}
    Config: configs/{name}.py
    In Collection: LGD
    Metadata:
      Architecture: {architecture}
      Modality: {modality}
      Training Data: {data}
      Batch Size: {batch}
      Epochs: {epochs}
"""


@dataclass
class Row:
    """A config, or all splits of one; the texts are of configs/table.yml."""

    names: list[str]
    data: str
    modality: str
    architecture: str
    epochs: int
    batch: int
    what: str = ''
    published: str = ''
    measured: str = ''

    def cells(self) -> dict[str, str]:
        """What the tables show: no more than the name of a config says."""
        shown = path = self.names[0]
        if len(self.names) > 1:
            shown = f'{path[:-1]}{{{",".join(n[-1] for n in self.names)}}}'
        keys = ('what', 'epochs', 'published', 'measured')
        cells = {key: str(getattr(self, key)) for key in keys}
        return {'config': f'[{shown}](../configs/{path}.py)', **cells}


def read_row(root: Path, names: list[str], entry: dict[str, Any]) -> Row:
    """What the configs and the entry of table.yml say."""
    from mmengine.config import Config

    rows = []
    for name in names:
        cfg = Config.fromfile(root / 'configs' / f'{name}.py')
        dataset, backbone = cfg.train_dataloader.dataset, cfg.model.backbone
        facts = {
            'data': DATA_SETS[dataset.ann_file.split('/')[1]],
            'modality': dataset.get('modality', 'RGB'),
            'architecture': f'ResNet-{backbone.get("depth")}',
            'epochs': cfg.train_cfg.max_epochs,
            'batch': cfg.auto_scale_lr.base_batch_size,
        }
        rows.append(Row(names, **facts | entry))
    if any(row != rows[0] for row in rows):
        raise ToolError(
            f'{names[0]} and its other splits differ in more than the split; '
            'give them entries of their own in configs/table.yml'
        )
    return rows[0]


def read_groups(root: Path) -> list[tuple[str, str, list[Row]]]:
    """(title, text, rows) of every group of configs/table.yml."""
    import yaml

    folder, found = root / 'configs', []
    left = {
        path.relative_to(folder).with_suffix('').as_posix()
        for path in folder.rglob('*.py')
        if '_base_' not in path.parts
    }
    for group in yaml.safe_load((folder / 'table.yml').read_text()):
        rows = []
        for key, entry in group['configs'].items():
            stem = re.escape(key).replace(r'\*', r'\d')
            names = sorted(n for n in left if re.fullmatch(stem, n))
            if not names:
                raise ToolError(
                    f'configs/table.yml: {key} is no config, or stands there '
                    'twice; correct or remove it'
                )
            left -= set(names)
            rows.append(read_row(root, names, entry or {}))
        found.append((group['title'], group['text'], rows))
    if left:
        raise ToolError(
            f'configs/table.yml lacks {", ".join(sorted(left))}; add them'
        )
    return found


def markdown(groups: Sequence[tuple[str, str, list[Row]]]) -> Iterator[str]:
    """The lines of the tables; epochs and batch stand above where they can."""
    for title, text, rows in groups:
        cells = [row.cells() for row in rows]
        columns = [k for k in cells[0] if any(c[k] for c in cells)]
        if len({row.epochs for row in rows}) == 1:
            columns.remove('epochs')
            text += f' {rows[0].epochs} epochs.'
        batches = sorted({row.batch for row in rows}, reverse=True)
        text += f' Batch {" or ".join(map(str, batches))}.'
        yield from ('', f'## {title}', '', text, '')
        same = defaultdict(list)  # configs by the other cells
        for row in cells:
            key = tuple(row[c] or '–' for c in columns[1:])
            same[key].append(row['config'])
        table = [(', '.join(names), *key) for key, names in same.items()]
        yield markdown_table(columns, table) if columns[1:] else table[0][0]


def metafile(groups: Sequence[tuple[str, str, list[Row]]]) -> str:
    """configs/metafile.yml, one entry a config."""
    rows = [row for *_, rows in groups for row in rows]
    row_of = {name: row for row in rows for name in row.names}
    return META_HEAD + ''.join(
        META_ENTRY.format(name=n, stem=Path(n).name, **vars(row_of[n]))
        for n in sorted(row_of)
    )


def written(root: Path) -> dict[Path, str]:
    """Both files as they should be."""
    groups = read_groups(root)
    page = root / 'docs' / 'configs.md'
    before, start, rest = page.read_text().partition(START)
    _, end, after = rest.partition(END)
    if not end:
        raise ToolError(f'{page} lacks the lines {START} and {END}; add them')
    tables = '\n'.join(markdown(groups))
    return {
        page: f'{before}{start}\n{tables}\n\n{end}{after}',
        root / 'configs' / 'metafile.yml': metafile(groups),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add('--root', type=Path, default=Path(),
        help='the repository (default: the current folder)')  # fmt: skip
    add('--check', action='store_true', help='only say which file is stale')
    args = parser.parse_args(argv)
    stale = 0
    for path, text in written(args.root).items():
        if path.read_text() == text:
            continue
        stale += 1
        if args.check:
            print(f'{path} is stale; run {EXAMPLE}')
        else:
            write_text(path, text)
            print(f'wrote {path}')
    return int(args.check and stale > 0)
