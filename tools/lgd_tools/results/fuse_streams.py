"""Fuses the scores of several streams: two-stream RGB and flow, say.

Late fusion: the weighted mean of the class probabilities of each stream
(equal weights unless --weights says otherwise). Videos are paired by name,
never by order, and all runs must hold the same ones.

What --sweep finds is kept apart from the reported number: weights picked on
the videos that are then scored give an upper bound, not a result.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lgd_tools.cli import (
    ToolError,
    file_sha256,
    make_parser,
    positive_int,
    read_lines,
    write_json,
)
from lgd_tools.results.measures import class_accuracies, measure
from lgd_tools.results.scores import Scores, load_scores, pair_streams
from lgd_tools.results.stream_weights import (
    are_probabilities,
    fuse,
    normalise_weights,
    softmax,
    sweep,
)

EXAMPLE = (
    'python tools/analysis/fuse_streams.py rgb=rgb.pkl flow=flow.pkl \\\n'
    '    --classes data/ucf101/label_map.txt --out fused.json \\\n'
    '    --picture gains.png'
)


def fuse_files(
    files: dict[str, str | Path],
    weights: Sequence[float] | None = None,
    anns: dict[str, str | Path] | None = None,
    classes: Sequence[str] | None = None,
    common_only: bool = False,
    logits: bool = False,
    sweep_steps: int | None = None,
) -> dict:
    """Fuses score files and measures streams and fusion.

    Args:
        files: Score file of each stream, by the stream's name.
        weights: One a stream; equal ones for None.
        anns: List that the test of a stream read, by the stream's name.
        classes: Names of the classes, for the table and the picture.
        common_only: Keep only the videos that every stream has.
        logits: The scores are logits: take their softmax first.
        sweep_steps: Also try all weights in multiples of 1 / sweep_steps.

    Returns:
        What is written as JSON; accuracies are shares of one. `fused` is
        None for a single stream.

    Raises:
        ToolError: The files cannot be fused; see scores.py.
    """
    loaded = {
        name: load_scores(path, (anns or {}).get(name))
        for name, path in files.items()
    }
    hashes = {name: file_sha256(path) for name, path in files.items()}
    for name, digest in hashes.items():
        twin = next(n for n, d in hashes.items() if d == digest)
        if twin != name:
            raise ToolError(
                f'{twin} and {name} are the same scores ({files[name]}); '
                'give one file a stream'
            )
    keys, values, labels = pair_streams(list(loaded.values()), common_only)
    number = values[0].shape[1]
    if classes is not None and len(classes) != number:
        raise ToolError(
            f'{len(classes)} class names for scores of {number} classes; '
            'give the label map of this data set'
        )
    shares = normalise_weights(weights, len(values))
    values = [
        _probabilities(scores, v, logits)
        for scores, v in zip(loaded.values(), values, strict=True)
    ]
    fused = fuse(values, shares)
    report = {
        'tool': 'fuse_streams',
        'videos': len(keys),
        'classes': number,
        'classes_without_videos': int(number - np.unique(labels).size),
        'common_only': common_only,
        'streams': [
            {
                'name': name,
                'file': str(scores.path),
                'sha256': hashes[name],
                'names_from': scores.names_from,
                'videos_in_file': len(scores.names),
                'weight': float(share),
                **measure(own, labels),
            }
            for (name, scores), own, share in zip(
                loaded.items(), values, shares, strict=True
            )
        ],
        'fused': measure(fused, labels) if len(values) > 1 else None,
        'per_class': _per_class(list(loaded), values, fused, labels, classes),
    }
    if sweep_steps is not None and len(values) > 1:
        report['sweep'] = sweep(keys, values, labels, sweep_steps)
    return report


def _probabilities(
    scores: Scores, values: np.ndarray, logits: bool
) -> np.ndarray:
    if logits:
        return softmax(values)
    if not are_probabilities(values):
        raise ToolError(
            f'{scores.path} does not hold probabilities, whose mean is what '
            "fusion takes; test with average_clips='prob', or say --logits"
        )
    return values


def _per_class(
    streams: Sequence[str],
    values: Sequence[np.ndarray],
    fused: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str] | None,
) -> list[dict]:
    """Top-1 of every class that has videos; gain over the best stream."""
    best = max(range(len(values)), key=lambda i: _top1(values[i], labels))
    own = [class_accuracies(v, labels) for v in values]
    both = class_accuracies(fused, labels)
    return [
        {
            'class': int(k),
            'name': classes[k] if classes is not None else f'class {k}',
            'videos': int((labels == k).sum()),
            **{s: float(a[k]) for s, a in zip(streams, own, strict=True)},
            'fused': float(both[k]),
            'gain': float(both[k] - own[best][k]),
            'gain_over': streams[best],
        }
        for k in np.unique(labels)
    ]


def _top1(values: np.ndarray, labels: np.ndarray) -> float:
    return measure(values, labels)['top1']


def draw_gains(report: dict, path: str | Path, shown: int = 12) -> Path:
    """Bars of the classes that fusion changes most; returns the path."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    rows = sorted(report['per_class'], key=lambda row: row['gain'])
    losses = [row for row in rows if row['gain'] < 0][:shown]
    gains = [row for row in rows if row['gain'] > 0][-shown:]
    bars = losses + gains
    unchanged = sum(row['gain'] == 0 for row in rows)
    figure, axes = plt.subplots(
        figsize=(8, 1.6 + 0.3 * max(len(bars), 2)), layout='constrained'
    )
    points = [100 * row['gain'] for row in bars]
    axes.barh(
        range(len(bars)),
        points,
        color=['#b5453c' if p < 0 else '#2f7d5b' for p in points],
    )
    axes.set_yticks(
        range(len(bars)), [f'{r["name"]} ({r["videos"]})' for r in bars]
    )
    for i, p in enumerate(points):
        axes.annotate(
            f'{p:+.1f}',
            (p, i),
            xytext=(4 if p > 0 else -4, 0),
            textcoords='offset points',
            ha='left' if p > 0 else 'right',
            va='center',
            fontsize=8,
        )
    if bars:
        limit = 1.15 * max(abs(p) for p in points)
        low = -limit if losses else -0.02 * limit
        axes.set_xlim(low, limit if gains else 0.02 * limit)
    else:
        axes.text(
            *(0.5, 0.5, 'no class changes'),
            transform=axes.transAxes,
            ha='center',
        )
        axes.set(xticks=[], ylim=(0, 1), xlim=(0, 1))
    axes.axvline(0, color='#444444', linewidth=0.8)
    axes.spines[['top', 'right', 'left']].set_visible(False)
    axes.tick_params(axis='y', length=0)
    axes.set_xlabel(
        'class accuracy, fused minus '
        f'{rows[0]["gain_over"]} alone (points); in brackets: videos'
    )
    counts = [sum(s * r['gain'] > 0 for r in rows) for s in (1, -1)]
    axes.set_title(
        f'Classes that fusion changes most: {counts[0]} better, '
        f'{counts[1]} worse, {unchanged} the same',
        fontsize=10,
        loc='left',
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # never leave half a picture under the final name
    part = path.with_name(f'.{path.name}.part')
    figure.savefig(part, dpi=150, format=path.suffix[1:] or 'png')
    plt.close(figure)
    return part.replace(path)


def format_report(report: dict) -> str:
    """The table that the script prints."""
    lines = [
        f'measured on {report["videos"]} videos of {report["classes"]} '
        f'classes ({report["classes_without_videos"]} without a video)',
        f'{"":<24}{"weight":>8}{"top-1":>8}{"top-5":>8}{"mean class":>12}',
    ]
    for stream in report['streams']:
        lines.append(_line(stream['name'], f'{stream["weight"]:.3g}', stream))
        lost = stream['videos_in_file'] - report['videos']
        if lost:
            lines.append(f'  ({lost} videos of {stream["name"]} left out)')
    if report['fused'] is not None:
        lines.append(_line('fused', '', report['fused']))
    if 'sweep' in report:
        best, held_out = report['sweep']['best'], report['sweep']['held_out']
        lines += ['', 'weight sweep, not a result:']
        lines.append(_line('best weights', '', best))
        shown = ', '.join(f'{w:.2f}' for w in best['weights'])
        lines.append(f'  weights {shown}; {best["note"]}')
        if held_out is not None:
            lines.append(_line('held-out weights', '', held_out))
            lines.append(f'  {held_out["note"]}')
    return '\n'.join(lines)


def _line(name: str, weight: str, measures: dict) -> str:
    shares = [100 * measures[k] for k in ('top1', 'top5', 'mean_class')]
    return (
        f'{name:<24}{weight:>8}{shares[0]:>8.2f}{shares[1]:>8.2f}'
        f'{shares[2]:>12.2f}'
    )


def named_paths(texts: Sequence[str]) -> dict[str, str]:
    """`name=path` arguments; a bare path is named after its file.

    Raises:
        ToolError: Two streams have the same name.
    """
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
    parser.add_argument(
        'streams',
        nargs='+',
        metavar='[NAME=]SCORES.pkl',
        help='dumps of tools/test.py --dump, one a stream',
    )
    parser.add_argument(
        '--weights',
        type=float,
        nargs='+',
        metavar='W',
        help='one a stream, in their order (default: equal)',
    )
    parser.add_argument(
        '--ann',
        nargs='+',
        default=[],
        metavar='NAME=LIST',
        help='the list that the test of a stream read; needed where the '
        'config does not put the names of the videos into the dump',
    )
    parser.add_argument(
        '--classes', metavar='LABEL_MAP', help='class names, one a line'
    )
    parser.add_argument(
        '--common-only',
        action='store_true',
        help='fuse the videos that all streams have, instead of refusing '
        'when they differ; the report counts what was left out',
    )
    parser.add_argument(
        '--logits',
        action='store_true',
        help='the scores are logits; take their softmax first',
    )
    parser.add_argument(
        '--sweep',
        type=positive_int,
        nargs='?',
        const=10,
        metavar='STEPS',
        help='also try all weights in steps of 1/STEPS (default 10); '
        'reported apart, with a held-out estimate',
    )
    parser.add_argument('--out', metavar='JSON', help='write all numbers here')
    parser.add_argument(
        '--picture', metavar='PNG', help='draw the gains of each class here'
    )
    args = parser.parse_args(argv)
    files, anns = named_paths(args.streams), named_paths(args.ann)
    _check_args(args, files, anns)
    classes = None
    if args.classes:
        classes = [text for _, text in read_lines(args.classes, 'label map')]
    report = fuse_files(
        files,
        args.weights,
        anns,
        classes,
        args.common_only,
        args.logits,
        args.sweep,
    )
    print(format_report(report))
    if args.out:
        print(f'numbers: {write_json(args.out, report)}')
    if args.picture:
        print(f'picture: {draw_gains(report, args.picture)}')
    return 0


def _check_args(
    args: argparse.Namespace, files: dict[str, str], anns: dict[str, str]
) -> None:
    for name in anns:
        if name not in files:
            raise ToolError(
                f'--ann names {name}, but the streams are '
                f'{", ".join(files)}; write --ann {next(iter(files))}=LIST'
            )
    if args.picture and len(files) < 2:
        raise ToolError('--picture shows what fusion changes; give two files')
