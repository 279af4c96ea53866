"""Mean and spread over the splits of a data set, ready for a table.

Reads the JSON files that fuse_streams.py wrote, one a split, and prints a
markdown row: mean, sample standard deviation (n - 1) and range of every
stream and of the fusion, and on how many videos each split was measured.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from lgd_tools.cli import (
    ToolError,
    make_parser,
    markdown_table,
    read_text,
    write_json,
    write_text,
)

MEASURES = {'top1': 'top-1', 'top5': 'top-5', 'mean_class': 'mean class'}
EXAMPLE = (
    'python tools/analysis/summarise_splits.py --name "LGD-3D, UCF101" \\\n'
    '    split1.json split2.json split3.json --out row.md'
)


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, sample standard deviation (None for one value) and range."""
    return {
        'mean': fmean(values),
        'std': stdev(values) if len(values) > 1 else None,
        'min': min(values),
        'max': max(values),
        'values': list(values),
    }


def summarise(reports: Sequence[dict]) -> dict:
    """Summary over the reports of fuse_streams, one a split.

    `results` has for each stream, and 'fused', the spread of each measure.
    """
    first, seen = _facts(reports[0]), {}
    for number, report in enumerate(reports, 1):
        for what, value in _facts(report).items():
            if value != first[what]:
                raise ToolError(
                    f'the {what} of split 1 are {first[what]}, those of '
                    f'split {number} {value}; fuse the same streams with '
                    'the same weights on every split of one data set'
                )
        for stream in report['streams']:
            if (twin := seen.setdefault(stream['sha256'], number)) != number:
                raise ToolError(
                    f'splits {twin} and {number} come from the same scores '
                    f'({stream["file"]}); give one file a split'
                )
    measured = {
        name: [report['streams'][i] for report in reports]
        for i, name in enumerate(first['streams'])
    }
    if reports[0]['fused'] is not None:
        measured['fused'] = [report['fused'] for report in reports]
    return {
        'tool': 'summarise_splits',
        'splits': len(reports),
        'videos': [report['videos'] for report in reports],
        'classes': first['classes'],
        'weights': dict(zip(first['streams'], first['weights'], strict=True)),
        'results': {
            name: {key: spread([m[key] for m in own]) for key in MEASURES}
            for name, own in measured.items()
        },
    }


def _facts(report: dict) -> dict[str, Any]:
    """What all splits of an experiment share."""
    return {
        'streams': [stream['name'] for stream in report['streams']],
        'weights': [stream['weight'] for stream in report['streams']],
        'classes': report['classes'],
        'measures': ['fused'] * (report['fused'] is not None),
    }


def format_cell(numbers: dict[str, Any]) -> str:
    """`97.03 ± 0.21 (96.80-97.20)` in percent; the number for one split."""
    if numbers['std'] is None:
        return f'{100 * numbers["mean"]:.2f}'
    mean, std, low, high = (
        100 * numbers[key] for key in ('mean', 'std', 'min', 'max')
    )
    return f'{mean:.2f} ± {std:.2f} ({low:.2f}-{high:.2f})'


def format_table(
    name: str,
    summary: dict,
    measures: Sequence[str] = ('top1', 'top5'),
    extra: Mapping[str, str] | None = None,
) -> str:
    """The markdown row of a summary, under its header.

    Its first cell is the name, its last ones are ``extra``, by their titles.
    """
    cells = {'experiment': name}
    for stream, numbers in summary['results'].items():
        for key in measures:
            cells[f'{stream} {MEASURES[key]}'] = format_cell(numbers[key])
    cells['test videos'] = ' + '.join(map(str, summary['videos']))
    cells |= extra or {}
    row = [cell.replace('|', '\\|') for cell in cells.values()]
    return markdown_table([*cells], [row])


def read_report(path: str | Path) -> dict:
    """A JSON file of fuse_streams."""
    with contextlib.suppress(ValueError, RecursionError):
        report = json.loads(read_text(path, 'report of fuse_streams.py --out'))
        if isinstance(report, dict) and report.get('tool') == 'fuse_streams':
            return report
    raise ToolError(
        f'{path} does not come from fuse_streams.py --out; write it so'
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('reports', nargs='+', metavar='SPLIT.json',
        help='what fuse_streams.py --out wrote, one file a split')
    add('--name', default='', help='first cell of the row (default: empty)')
    add('--measures', nargs='+', choices=tuple(MEASURES),
        default=tuple(MEASURES), help='columns of each stream (all)')
    add('--out', metavar='MD', help='write the row here')
    add('--json', metavar='JSON', help='write numbers here')
    # fmt: on
    args = parser.parse_args(argv)
    summary = summarise([read_report(path) for path in args.reports])
    table = format_table(args.name, summary, args.measures)
    print(table)
    if args.out:
        write_text(args.out, table + '\n')
    if args.json:
        write_json(args.json, summary)
    return 0
