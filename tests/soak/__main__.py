"""Put trainings through faults for as long as one likes.

Four parts, each with faults of its own, in rounds with a new seed until the
time is up:

reading      broken, hostile and healthy videos read through the data sets
memory       clip after clip in one worker, resident memory watched
crashes      trainings killed at random moments, resumed, compared bit by bit
distributed  ranks of several killed or stopped, the job resumed, compared

The report (soak.json and soak.md in the work directory) is written after each
part, and when it is interrupted. docs/reliability.md says what is promised.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from lgd_tools.cli import (
    EXIT_INCOMPLETE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    make_parser,
    non_negative_int,
    run_main,
)

EXAMPLE = """\
  python -m tests.soak --minutes 30
  python -m tests.soak --minutes 600 --only crashes,distributed --seed 7"""
# so much of each part in a round: minutes on two cores
ROUND = dict(reading=60, memory=20000, crashes=10, distributed=5)
NUMBERS = ('tried', 'survived', 'lost')


# --------------------------------------------------------------- the parts
def load_part(name: str) -> Callable[..., dict[str, Any]]:
    """The function ``soak_<name>`` of tests/soak/<name>.py."""
    return getattr(import_module(f'tests.soak.{name}'), f'soak_{name}')


def run_part(
    part: Callable[..., dict[str, Any]],
    name: str,
    work_dir: Path,
    seed: int,
    amount: int,
) -> dict[str, Any]:
    """One round of one part; a part that breaks off is one loss."""
    kwargs: dict[str, Any] = {}
    if name == 'crashes':
        # one process and two, in turn
        kwargs['processes'] = 1 + seed % 2
    try:
        found = dict(part(amount, work_dir / name, seed, **kwargs))
    except Exception as error:
        traceback.print_exc()
        found = dict(tried=1, survived=0, lost=1)
        found['failures'] = [f'it broke off: {type(error).__name__}: {error}']
    if 'faults' in found:
        found['tried'] = found.pop('faults')
    numbers = {key: int(found.pop(key)) for key in NUMBERS}
    failures = found.pop('failures', []) or found.pop('lost_files', [])
    if numbers['lost'] and not failures:
        failures = [f'{numbers["lost"]} lost, see the figures']
    figures = dict(found.pop('figures', {}))
    for key in ('name', 'lost_files'):
        found.pop(key, None)
    return dict(
        numbers,
        failures=[f'seed {seed}: {f}' for f in failures],
        figures={**figures, **found},
    )


# -------------------------------------------------------------- the report
def add_round(
    total: dict[str, Any], found: dict[str, Any], seconds: float
) -> None:
    """Add one round of a part to what the report says of the part."""
    for key in NUMBERS:
        total[key] = total.get(key, 0) + found[key]
    total['rounds'] = total.get('rounds', 0) + 1
    total['seconds'] = round(total.get('seconds', 0) + seconds, 1)
    total.setdefault('failures', []).extend(found['failures'])
    # figures differ in kind: those of every round are kept
    total.setdefault('figures', []).append(found['figures'])


def as_markdown(report: dict[str, Any]) -> str:
    """The report as a table, the last figures, and what was lost."""
    lines = [
        f'# Soak test, {report["minutes"]:.1f} minutes, seed {report["seed"]}',
        '',
        '| part | rounds | faults tried | survived | lost | minutes |',
        '|---|---|---|---|---|---|',
    ]
    for name, part in report['parts'].items():
        lines.append(
            f'| {name} | {part["rounds"]} | {part["tried"]} | '
            f'{part["survived"]} | {part["lost"]} | '
            f'{part["seconds"] / 60:.1f} |'
        )
    for name, part in report['parts'].items():
        if part['figures'][-1]:
            lines += ['', f'Figures of {name}, last round:', '']
            for key, value in part['figures'][-1].items():
                lines.append(f'- {key}: {value}')
        if part['failures']:
            lines += ['', f'Lost by {name}:', '']
            lines += [f'- {" ".join(f.split())}' for f in part['failures']]
    if report['interrupted']:
        lines += ['', 'Interrupted before the time was up.']
    return '\n'.join(lines) + '\n'


def write_report(report: dict[str, Any], work_dir: Path) -> None:
    """soak.json and soak.md."""
    work_dir.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=2, default=str) + '\n'
    (work_dir / 'soak.json').write_text(text)
    (work_dir / 'soak.md').write_text(as_markdown(report))


# ------------------------------------------------------------ the program
def soak(
    names: list[str],
    minutes: float,
    work_dir: Path,
    seed: int,
    amounts: dict[str, int],
) -> dict[str, Any]:
    """Round after round until the time is up; the last part ends its round.

    Args:
        names: Of the parts.
        minutes: Every part has one round, however short this is.
        work_dir: Gets the report, and a folder a part.
        seed: Of the first round; the next ones count on.
        amounts: How much of each part is in a round.

    Returns:
        The report, which is on the disk too.
    """
    parts = {name: load_part(name) for name in names}
    start = time.monotonic()
    report: dict[str, Any] = dict(
        seed=seed, minutes=0.0, interrupted=False, parts={}
    )
    try:
        for at in range(sys.maxsize):
            for name, part in parts.items():
                spent = (time.monotonic() - start) / 60
                if at and spent >= minutes:
                    return report
                print(
                    f'{spent:.1f} of {minutes:g} minutes: {name}, round '
                    f'{at + 1}',
                    flush=True,
                )
                since = time.monotonic()
                found = run_part(
                    part, name, work_dir, seed + at, amounts[name]
                )
                total = report['parts'].setdefault(name, {})
                add_round(total, found, time.monotonic() - since)
                report['minutes'] = (time.monotonic() - start) / 60
                write_report(report, work_dir)
    except KeyboardInterrupt:
        report['interrupted'] = True
        report['minutes'] = (time.monotonic() - start) / 60
        write_report(report, work_dir)
    return report


def part_names(text: str) -> list[str]:
    """argparse type: names of parts, with commas between them."""
    names = [name.strip() for name in text.split(',')]
    unknown = [name for name in names if name not in ROUND]
    if unknown:
        raise argparse.ArgumentTypeError(
            f'{unknown[0]!r} is no part; there are {", ".join(ROUND)}'
        )
    return list(dict.fromkeys(names))


def round_amount(text: str) -> tuple[str, int]:
    """argparse type: ``part=number``."""
    name, _, number = text.partition('=')
    if name not in ROUND or not number.isdecimal() or int(number) < 1:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not like crashes=10, with one of {", ".join(ROUND)}'
        )
    return name, int(number)


def minutes_of(text: str) -> float:
    """argparse type: a time in minutes, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text!r} is not a time in minutes')
    return value


def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument('--minutes', type=minutes_of, default=30.0)
    parser.add_argument(
        '--only', type=part_names, default=list(ROUND), metavar='PARTS',
        help='with commas: ' + ','.join(ROUND),
    )  # fmt: skip
    parser.add_argument(
        '--work-dir', type=Path, default=Path('work_dirs/soak')
    )
    parser.add_argument('--seed', type=non_negative_int, default=0)
    parser.add_argument(
        '--round', type=round_amount, nargs='+', default=[], metavar='PART=N',
        help='how much of a part is in a round: '
        + ' '.join(f'{k}={v}' for k, v in ROUND.items())
        + ' (seconds of reading, clips of memory, kills, faults)',
    )  # fmt: skip
    args = parser.parse_args(argv)
    report = soak(
        args.only,
        args.minutes,
        args.work_dir,
        args.seed,
        {**ROUND, **dict(args.round)},
    )
    print(as_markdown(report), end='')
    print(f'report: {args.work_dir / "soak.md"}')
    if report['interrupted']:
        return EXIT_INTERRUPTED
    lost = sum(part['lost'] for part in report['parts'].values())
    return EXIT_INCOMPLETE if lost else EXIT_OK


if __name__ == '__main__':
    run_main(main)
