"""Runs one row of the paper's tables end to end.

For every stream (RGB, flow, ...) and every split: checks that the data are
there, trains (both stages, one run), tests the last checkpoint with the
config's protocol; then fuses the streams and writes result.json and
result.md (one table row) into WORK_DIR/NAME, with hashes of the configs,
versions, and on how many videos each number was measured.

Interrupt it whenever you like: the same command goes on where it stopped.
A finished step is done again only when what it was made from has changed.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from lgd_tools.cli import (
    ToolError,
    make_parser,
    positive_int,
)
from lgd_tools.experiment import plan
from lgd_tools.experiment.report import read_versions
from lgd_tools.experiment.runner import Experiment
from lgd_tools.experiment.steps import (
    StepStore,
    end_on_sigterm,
    locked,
)
from lgd_tools.results.stream_weights import normalise_weights

# of the checkout: this file is tools/lgd_tools/experiment/command.py
ROOT = Path(__file__).resolve().parents[3]

EXAMPLE = (
    'python tools/run_experiment.py --name ucf101_lgd3d --gpus 8 \\\n'
    '    --rgb configs/lgd3d_ucf101_split{1,2,3}.py \\\n'
    '    --flow configs/lgd3d_flow_ucf101_split{1,2,3}.py'
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument('--name', required=True, help='name of the row')
    for stream in ('rgb', 'flow'):
        parser.add_argument(
            f'--{stream}',
            nargs='+',
            metavar='CONFIG',
            help=f'configs of the {stream} stream, one a split',
        )
    parser.add_argument(
        '--stream',
        nargs='+',
        action='append',
        default=[],
        metavar=('NAME', 'CONFIG'),
        help='any other stream: its name, then its configs, one a split',
    )
    parser.add_argument(
        '--weights',
        type=float,
        nargs='+',
        metavar='W',
        help='fusion weights, in the order of the streams (default: equal)',
    )
    parser.add_argument(
        '--sweep',
        type=positive_int,
        nargs='?',
        const=10,
        metavar='STEPS',
        help='also try other weights; kept apart from the result',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='overrides for all configs, as for tools/train.py',
    )
    parser.add_argument(
        '--stream-options',
        nargs='+',
        action='append',
        default=[],
        metavar=('NAME', 'KEY=VALUE'),
        help='overrides for one stream, e.g. flow load_from=flow.pth',
    )
    parser.add_argument(
        '--work-dir', default='work_dirs/experiments', type=Path
    )
    parser.add_argument('--gpus', type=positive_int, default=1)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--amp', action='store_true', help='train in mixed precision'
    )
    parser.add_argument(
        '--classes',
        metavar='LABEL_MAP',
        help='class names (default: label_map.txt beside the test list)',
    )
    parser.add_argument(
        '--restart',
        action='store_true',
        help='where a training was made from other inputs: move it aside '
        '(*.old-1) and train again, instead of refusing',
    )
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='print the state of each step and the command that does it',
    )
    parser.add_argument(
        '--check-only', action='store_true', help='check the data and stop'
    )
    return parser.parse_args(argv)


def make_runs(args: argparse.Namespace) -> list[plan.Run]:
    """The trainings of the row, split by split.

    Raises:
        ToolError: The streams do not make a row, or a config is broken.
    """
    streams = {n: c for n in ('rgb', 'flow') if (c := getattr(args, n))}
    for name, *configs in args.stream:
        if name in streams or not re.fullmatch(r'\w[\w-]*', name):
            raise ToolError(f'--stream {name}: not a new, simple name')
        streams[name] = configs
    counts = {name: len(configs) for name, configs in streams.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise ToolError(
            f'configs for each stream: {counts or "none"}; give every '
            'stream (--rgb, --flow, --stream) one config a split'
        )
    options: dict[str, list[str]] = {name: [] for name in streams}
    for name, *extra in args.stream_options:
        if name not in options:
            raise ToolError(
                f'--stream-options {name}: the streams are '
                f'{", ".join(streams)}'
            )
        options[name] += extra
    normalise_weights(args.weights, len(streams))
    splits = max(counts.values())
    return [
        plan.make_run(
            args.work_dir / args.name,
            stream,
            split + 1 if splits > 1 else None,
            configs[split],
            [*args.cfg_options, *options[stream]],
        )
        for split in range(splits)
        for stream, configs in streams.items()
    ]


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    if not re.fullmatch(r'[\w][\w.+-]*', args.name):
        raise ToolError(
            f'--name {args.name!r} becomes a folder; use letters, digits, '
            '_ . + -'
        )
    folder: Path = args.work_dir / args.name
    runs = make_runs(args)
    store = StepStore(folder / 'steps', read_versions(ROOT))
    experiment = Experiment(args, runs, store)
    if args.dry_run:
        experiment.dry_run()
        return 0
    with ExitStack() as stack:
        experiment.lock = stack.enter_context(locked(folder))
        stack.enter_context(end_on_sigterm())
        try:
            if args.check_only:
                experiment.check(force=True)
                return 0
            table = experiment.run()
        except KeyboardInterrupt:
            print('\nthe same command goes on from here', file=sys.stderr)
            raise
    print(f'\n{table}\n\nwritten: {folder}/result.json, {folder}/result.md')
    return 0
