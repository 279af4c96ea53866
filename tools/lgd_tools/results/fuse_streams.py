"""Fuse the scores of several streams: two-stream RGB and flow, say.

Late fusion: the weighted mean of the class probabilities of each stream
(equal weights unless --weights says otherwise). Videos are paired by name,
never by order, and all runs must hold the same ones.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lgd_tools.cli import (
    ToolError,
    class_names,
    file_sha256,
    make_parser,
    write_json,
)
from lgd_tools.results.measures import class_accuracies, measure, wilson
from lgd_tools.results.scores import load_scores, pair_streams

EXAMPLE = (
    'python tools/analysis/fuse_streams.py rgb=rgb.pkl flow=flow.pkl \\\n'
    '    --classes data/ucf101/label_map.txt --out fused.json'
)


def normalise_weights(
    weights: Sequence[float] | None, streams: int
) -> np.ndarray:
    """Weights that add up to one; equal ones for None."""
    array = np.array([1] * streams if weights is None else weights, float)
    if len(array) != streams:
        raise ToolError(
            f'{len(array)} weights for {streams} streams; give one a stream'
        )
    if not (np.isfinite(array) & (array >= 0)).all() or not array.any():
        raise ToolError(
            f'weights {list(weights)}: they must be zero or more, and not '
            'all zero'
        )
    return array / array.sum()


def file_hashes(files: dict[str, str | Path]) -> dict[str, str]:
    """SHA-256 of each stream's file; ToolError where two are the same."""
    streams: dict[str, str] = {}
    for name, path in files.items():
        twin = streams.setdefault(file_sha256(path), name)
        if twin != name:
            raise ToolError(
                f'{twin} and {name} are the same file ({path}); give one '
                'file a stream'
            )
    return {name: digest for digest, name in streams.items()}


def fuse_files(
    files: dict[str, str | Path],
    weights: Sequence[float] | None = None,
    anns: dict[str, str | Path] | None = None,
    label_map: str | os.PathLike | None = None,
) -> dict:
    """Fuse score files and measure streams and fusion: what JSON will hold.

    Args:
        files: Score file of each stream, by the stream's name.
        weights: One a stream; equal ones for None.
        anns: List that the test of a stream read, by the stream's name.
        label_map: Names of the classes, one a line.
    """
    shares = normalise_weights(weights, len(files))
    loaded = [load_scores(p, (anns or {}).get(n)) for n, p in files.items()]
    hashes = file_hashes(files)
    keys, values, labels = pair_streams(loaded)
    number = values.shape[2]
    classes = class_names(label_map, number)
    for scores, own in zip(loaded, values, strict=True):
        # to half precision
        if own.min() < 0 or not np.allclose(own.sum(1), 1, atol=2e-2):
            raise ToolError(
                f'{scores.path} does not hold probabilities, whose mean is '
                "what fusion takes; test with average_clips='prob'"
            )
    fused = np.tensordot(shares, values, 1)
    names, seen = [*files], np.bincount(labels, minlength=number)
    measures = [measure(own, labels) for own in values]
    best = max(range(len(names)), key=lambda i: measures[i]['top1'])
    by_class = {
        name: class_accuracies(own, labels)
        for name, own in zip([*names, 'fused'], [*values, fused], strict=True)
    }
    gains = by_class['fused'] - by_class[names[best]]
    return {
        'tool': 'fuse_streams',
        'videos': len(keys),
        'classes': number,
        'classes_without_videos': int((seen == 0).sum()),
        'streams': [
            {
                'name': name,
                'file': str(scores.path),
                'sha256': hashes[name],
                'names_from': scores.names_from,
                'weight': float(share),
                **own,
            }
            for name, scores, share, own in zip(
                names, loaded, shares, measures, strict=True
            )
        ],
        'fused': measure(fused, labels) if len(names) > 1 else None,
        'per_class': [
            {
                'class': k,
                'name': classes[k],
                'videos': int(seen[k]),
                **{name: float(own[k]) for name, own in by_class.items()},
                'gain': float(gains[k]),
                'gain_over': names[best],
            }
            for k in np.flatnonzero(seen).tolist()
        ],
    }


def format_report(report: dict) -> str:
    """The table that the command prints."""
    rows = [(s['name'], f'{s["weight"]:.3g}', s) for s in report['streams']]
    if report['fused'] is not None:
        rows.append(('fused', '', report['fused']))
    lines = [
        f'measured on {report["videos"]} videos of {report["classes"]} '
        f'classes ({report["classes_without_videos"]} without a video)',
        f'{"":<24}{"weight":>8}{"top-1":>12}{"top-5":>12}{"mean class":>12}',
    ]
    for name, weight, row in rows:
        shares = [100 * row[key] for key in ('top1', 'top5', 'mean_class')]
        cells = ''.join(f'{share:>12.2f}' for share in shares)
        lines.append(f'{name:<24}{weight:>8}{cells}')
    return '\n'.join([*lines, pooled_interval([report])])


def pooled_interval(reports: Sequence[dict]) -> str:
    """Top-1 over all folds (each tests its own videos), 95 % interval."""
    videos = sum(report['videos'] for report in reports)
    right = sum(
        round((r['fused'] or r['streams'][0])['top1'] * r['videos'])
        for r in reports
    )
    low, high = wilson(right, videos)
    return (
        f'top-1: {right} of {videos}, {100 * right / videos:.2f} % (95 % '
        f'interval, Wilson: {100 * low:.2f} to {100 * high:.2f})'
    )


def named_paths(texts: Sequence[str]) -> dict[str, str]:
    """`name=path` arguments; a bare path is named after its file."""
    paths: dict[str, str] = {}
    for text in texts:
        match = re.fullmatch(r'([\w-]+)=(.+)', text)
        name, path = match.groups() if match else (Path(text).stem, text)
        if name in paths:
            raise ToolError(
                f'two streams are called {name}; name them: rgb={path}'
            )
        paths[name] = path
    return paths


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('streams', nargs='+', metavar='[NAME=]SCORES.pkl',
        help='dumps of tools/test.py --dump, one a stream')
    add('--weights', type=float, nargs='+', metavar='W',
        help='one a stream, in their order (default: equal)')
    add('--ann', nargs='+', default=[], metavar='NAME=LIST',
        help='what the test of a stream read, where its dump lacks names')
    add('--classes', metavar='LABEL_MAP', help='class names, one a line')
    add('--out', metavar='JSON', help='all numbers, of each class too')
    # fmt: on
    args = parser.parse_args(argv)
    files, anns = named_paths(args.streams), named_paths(args.ann)
    if not anns.keys() <= files.keys():
        raise ToolError(
            f'--ann names {", ".join(anns)}, but the streams are '
            f'{", ".join(files)}; write --ann {next(iter(files))}=LIST'
        )
    report = fuse_files(files, args.weights, anns, args.classes)
    print(format_report(report))
    if args.out:
        print(f'numbers: {write_json(args.out, report)}')
    return 0
