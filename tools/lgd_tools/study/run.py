"""Train the runs of the study that are not there yet, one JSON each.

Which runs there are, and in which order, says lgd_tools/study/plan.py. A run
that has its JSON is done; one that was killed starts again. Every process
has one thread. tools/study/report.py makes tables and figures of the JSON,
also of a part of the runs.
"""

import json
import math
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

from lgd_tools.cli import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    default_workers,
    make_parser,
    positive_int,
    write_text,
)
from lgd_tools.study.plan import Plan, Run

RESULTS = Path('docs/study/runs')


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Key -> result of every run that is done."""
    files = sorted(folder.glob('*.json'))
    return {file.stem: json.loads(file.read_text()) for file in files}


def train_and_write(run: Run, folder: Path) -> dict[str, Any]:
    """In a process of its own: train a run and write its JSON, whole."""
    from lgd_tools.study.training import train

    result = train(run)
    write_text(folder / f'{run.key}.json', json.dumps(result) + '\n')
    return result


def run_all(
    plan: Plan,
    folder: Path,
    processes: int = 1,
    minutes: float = math.inf,
    only: str = '',
) -> int:
    """Train what is missing; returns how many runs are missing still.

    No run starts later than so many minutes from now, nor one whose key does
    not hold the text `only`.
    """
    start, running, done = time.monotonic(), {}, 0
    results, total = read_results(folder), plan.total()
    # before the processes start: numpy and torch read it at import
    os.environ['OMP_NUM_THREADS'] = '1'
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context('spawn'))
    with pool:
        while True:
            late = time.monotonic() - start > 60 * minutes
            busy = {run.key for run in running.values()}
            for run in plan.missing(results):
                if late or len(running) == processes:
                    break
                if only in run.key and run.key not in busy:
                    job = pool.submit(train_and_write, run, folder)
                    running[job] = run
            if not running:
                return total - len(plan.keys(results))
            for job in wait(running, return_when=FIRST_COMPLETED)[0]:
                run, done = running.pop(job), done + 1
                results[run.key] = result = job.result()
                left = total - len(plan.keys(results))
                each = (time.monotonic() - start) / done
                print(
                    f'{run.key}: {100 * result["told_apart"]:.1f} %, '
                    f'{result["cpu_seconds"]} s; {left} of {total} '
                    f'runs left, about {each * left / 60:.0f} min',
                    flush=True,
                )


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(
        __doc__, '  python tools/study/run.py --processes 2 --minutes 60'
    )
    add = parser.add_argument
    # fmt: off
    add('--out', type=Path, default=RESULTS, help='of the JSON (%(default)s)')
    add('--processes', type=positive_int, default=default_workers(),
        help='runs at the same time (default: the cores, %(default)s)')
    add('--minutes', type=float, default=math.inf,
        help='no run starts after these')
    add('--only', default='', help='runs whose key holds this text')
    add('--list', action='store_true', help='only say what is missing')
    add('--question', default=Plan.question,
        help='colour (default), look, motion')
    add('--steps', type=positive_int, default=Plan.steps, help='of each run')
    # fmt: on
    args = parser.parse_args(argv)
    plan = Plan(args.question, args.steps)
    if args.list:
        results = read_results(args.out)
        for run in plan.missing(results):
            print(run.key)
        print(
            f'{len(plan.keys(results))} of {plan.total()} runs are done; '
            'those above can start, others wait for their learning rate'
        )
        return EXIT_OK
    left = run_all(plan, args.out, args.processes, args.minutes, args.only)
    return EXIT_INCOMPLETE if left else EXIT_OK
