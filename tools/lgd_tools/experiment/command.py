"""Run one row of the paper's tables end to end.

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
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from lgd_tools.cli import ToolError, make_parser, positive_int
from lgd_tools.experiment import plan
from lgd_tools.experiment.runner import Experiment
from lgd_tools.experiment.steps import locked
from lgd_tools.results.fuse_streams import normalise_weights

EXAMPLE = (
    'python tools/run_experiment.py --name ucf101_lgd3d --gpus 8 \\\n'
    '    --rgb configs/lgd3d_ucf101_split{1,2,3}.py \\\n'
    '    --flow configs/lgd3d_flow_ucf101_split{1,2,3}.py'
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    # fmt: off
    add('--name', required=True, help='name of the row')
    for stream in ('rgb', 'flow'):
        add(f'--{stream}', nargs='+', metavar='CONFIG',
            help=f'configs of the {stream} stream, one a split')
    add('--stream', nargs='+', action='append', default=[],
        metavar=('NAME', 'CONFIG'), help='another stream')
    add('--weights', type=float, nargs='+', metavar='W',
        help='of the fusion, in the order of the streams (default: equal)')
    add('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
        help='for all configs, as for tools/train.py')
    add('--stream-options', nargs='+', action='append', default=[],
        metavar=('NAME', 'KEY=VALUE'),
        help='for one stream, e.g. flow load_from=flow.pth')
    add('--work-dir', default='work_dirs/experiments', type=Path)
    add('--gpus', type=positive_int, default=1)
    add('--seed', type=int, default=0)
    add('--amp', action='store_true', help='train in mixed precision')
    add('--classes', metavar='LABEL_MAP',
        help='class names (default: label_map.txt beside the test list)')
    add('--restart', action='store_true', help='move a training from other '
        'inputs aside (*.old-1) and train again, instead of refusing')
    add('--check-only', action='store_true', help='check the data and stop')
    # fmt: on
    args = parser.parse_args(argv)
    if not re.fullmatch(r'[\w][\w.+-]*', args.name):
        raise ToolError(
            f'--name {args.name!r} becomes a folder; use letters, digits, '
            '_ . + -'
        )
    return args


def make_runs(args: argparse.Namespace) -> list[plan.Run]:
    """The trainings of the row, split by split."""
    streams = {n: c for n in ('rgb', 'flow') if (c := vars(args)[n])}
    for name, *configs in args.stream:
        if name in streams or not re.fullmatch(r'\w[\w-]*', name):
            raise ToolError(f'--stream {name}: not a new, simple name')
        streams[name] = configs
    counts = {name: len(configs) for name, configs in streams.items()}
    splits = max(counts.values(), default=0)
    if not splits or set(counts.values()) != {splits}:
        raise ToolError(
            f'configs for each stream: {counts or "none"}; give every '
            'stream (--rgb, --flow, --stream) one config a split'
        )
    options = {name: [*args.cfg_options] for name in streams}
    for name, *extra in args.stream_options:
        if name not in options:
            raise ToolError(
                f'--stream-options {name}: the streams are '
                f'{", ".join(streams)}'
            )
        options[name] += extra
    normalise_weights(args.weights, len(streams))
    numbers = [*range(1, splits + 1)] if splits > 1 else [None]
    folder = args.work_dir / args.name
    return [
        plan.make_run(folder, name, number, configs[i], options[name])
        for i, number in enumerate(numbers)
        for name, configs in streams.items()
    ]


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    runs, folder = make_runs(args), args.work_dir / args.name
    with locked(folder) as lock:
        experiment = Experiment(args, runs, lock)
        # a queue that ends a job: run_command ends the child on the way out
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + 15))
        try:
            if args.check_only:
                experiment.check()
                return 0
            table = experiment.run()
        finally:
            signal.signal(signal.SIGTERM, before)
    print(f'\n{table}\n\nwritten: {folder}/result.json, {folder}/result.md')
    return 0
