"""Mean and spread over the splits of a data set, ready for a table.

Reads the JSON files that fuse_streams.py wrote, one a split, and prints a
markdown row: mean, sample standard deviation (n - 1) and range of every
stream and of the fusion, and on how many videos each split was measured.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from lgd_tools.cli import (
    ToolError,
    make_parser,
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

    Returns:
        `splits`, `videos` (one count a split), `weights`, and `results`:
        for each stream, and for 'fused', the spread of every measure.

    Raises:
        ToolError: The reports are not splits of one experiment.
    """
    first = reports[0]
    names = [s['name'] for s in first['streams']]
    weights = [s['weight'] for s in first['streams']]
    for number, report in enumerate(reports[1:], 2):
        theirs = [s['name'] for s in report['streams']]
        if theirs != names:
            raise ToolError(
                f'split 1 has the streams {names}, split {number} {theirs}; '
                'fuse the same streams on every split'
            )
        if [s['weight'] for s in report['streams']] != weights:
            raise ToolError(
                f'split {number} was fused with other weights than split 1; '
                'fuse all splits with the same'
            )
        if report['classes'] != first['classes']:
            raise ToolError(
                f'split 1 has {first["classes"]} classes, split {number} '
                f'{report["classes"]}; give splits of one data set'
            )
    seen: dict[str, int] = {}
    for number, report in enumerate(reports, 1):
        for stream in report['streams']:
            earlier = seen.setdefault(stream['sha256'], number)
            if earlier != number:
                raise ToolError(
                    f'splits {earlier} and {number} come from the same '
                    f'scores ({stream["file"]}); give one file a split'
                )
    results = {
        name: _spreads([r['streams'][i] for r in reports])
        for i, name in enumerate(names)
    }
    if first['fused'] is not None:
        results['fused'] = _spreads([r['fused'] for r in reports])
    return {
        'tool': 'summarise_splits',
        'splits': len(reports),
        'videos': [r['videos'] for r in reports],
        'classes': first['classes'],
        'weights': dict(zip(names, weights, strict=True)),
        'results': results,
    }


def _spreads(measures: Sequence[dict]) -> dict[str, dict]:
    return {key: spread([m[key] for m in measures]) for key in MEASURES}


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
    header: bool = True,
    extra: Mapping[str, str] | None = None,
) -> str:
    """The markdown row, under its header unless told otherwise.

    Args:
        name: First cell.
        summary: Of :func:`summarise`.
        measures: Columns of each stream and of the fusion.
        header: With the two lines above the row.
        extra: Cells at the end, by their titles.
    """
    titles, cells = ['experiment'], [name.replace('|', '\\|')]
    for stream, numbers in summary['results'].items():
        for key in measures:
            titles.append(f'{stream} {MEASURES[key]}')
            cells.append(format_cell(numbers[key]))
    titles.append('test videos')
    cells.append(' + '.join(str(n) for n in summary['videos']))
    for title, cell in (extra or {}).items():
        titles.append(title)
        cells.append(cell.replace('|', '\\|'))
    lines = [titles, ['---'] * len(titles)] if header else []
    return '\n'.join(f'| {" | ".join(row)} |' for row in [*lines, cells])


def read_report(path: str | Path) -> dict:
    """A JSON file of fuse_streams.

    Raises:
        ToolError: It is missing or something else.
    """
    try:
        report = json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise ToolError(
            f'there is no {path}; write it with fuse_streams.py --out'
        ) from None
    except (ValueError, RecursionError) as error:
        raise ToolError(f'{path} is not JSON: {error}') from None
    if not _is_report(report):
        raise ToolError(
            f'{path} does not come from fuse_streams.py --out; write it so'
        )
    return report


def _is_report(report: Any) -> bool:
    """Whether this is what fuse_streams.py writes, as far as it is read."""
    if not isinstance(report, dict) or report.get('tool') != 'fuse_streams':
        return False
    streams, fused = report.get('streams'), report.get('fused', 0)
    counts = report.get('videos'), report.get('classes')
    return (
        all(type(n) is int and 0 < n < 2**53 for n in counts)
        and isinstance(streams, list)
        and len(streams) > 0
        and all(isinstance(s, dict) and _measured(s) for s in streams)
        and all(
            isinstance(s.get(key), str)
            for s in streams
            for key in ('name', 'sha256', 'file')
        )
        and all(_is_share(s.get('weight')) for s in streams)
        and (fused is None or (isinstance(fused, dict) and _measured(fused)))
    )


def _measured(measures: dict) -> bool:
    return all(_is_share(measures.get(key)) for key in MEASURES)


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        'reports',
        nargs='+',
        metavar='SPLIT.json',
        help='what fuse_streams.py --out wrote, one file a split',
    )
    parser.add_argument(
        '--name', default='', help='first cell of the row (default: empty)'
    )
    parser.add_argument(
        '--measures',
        nargs='+',
        choices=tuple(MEASURES),
        default=('top1', 'top5', 'mean_class'),
        help='columns of each stream (default: %(default)s)',
    )
    parser.add_argument(
        '--no-header', action='store_true', help='print the row alone'
    )
    parser.add_argument('--out', metavar='MD', help='write the row here')
    parser.add_argument('--json', metavar='JSON', help='write numbers here')
    args = parser.parse_args(argv)
    summary = summarise([read_report(path) for path in args.reports])
    table = format_table(args.name, summary, args.measures, not args.no_header)
    print(table)
    if args.out:
        write_text(args.out, table + '\n')
    if args.json:
        write_json(args.json, summary)
    return 0
