"""Fuzz every parser and converter: no input ends in a traceback.

Each target takes files that a user could hand over: valid ones, damaged by a
byte mutator (70 %), and structured ones with odd content from hypothesis
(30 %). A result is fine, and so is one of the project's own errors (ToolError,
LGDError). Anything else is a failure: another exception, a crash of the
process, more than --time-limit seconds, more than --memory MiB, a file
outside of the output folder.

Failures are written to --out: the input (`<target>-<hash>.bin`, made shorter
where that is easy) and what happened (`.json`). --replay runs such a file.
The same --seed and --inputs give the same inputs.

--engine atheris lets coverage of the code guide the mutations (pip install
atheris); it takes one target at a time.
"""

import argparse
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from lgd_tools.cli import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    ToolError,
    make_parser,
    positive_int,
    run_main,
)
from tests.fuzz.engine import Failure, Runner, work
from tests.fuzz.target import Target

EXAMPLE = """\
  python -m tests.fuzz --inputs 100000 --out work_dirs/fuzz
  python -m tests.fuzz --targets tubes scores --inputs 5000
  python -m tests.fuzz --replay work_dirs/fuzz/tubes-1f00aa3c12.bin
  python -m tests.fuzz --engine atheris --targets tubes --inputs 100000"""

_CHUNK = 250  # inputs handed to a worker at a time
# a folder in memory, where there is one
_FAST = '/dev/shm' if Path('/dev/shm').is_dir() else None


def all_targets() -> dict[str, Target]:
    """Every target by its name, in a fixed order."""
    from tests.fuzz import (
        list_targets,
        package_targets,
        record_targets,
        tube_targets,
    )

    modules = (list_targets, record_targets, package_targets, tube_targets)
    return {t.name: t for module in modules for t in module.TARGETS}


def plan(targets: Sequence[Target], inputs: int) -> list[tuple[str, int, int]]:
    """(target, number of inputs, seed) of every chunk.

    At least ``inputs`` in all, shared out by the weights of the targets.
    """
    whole = sum(target.weight for target in targets)
    chunks = []
    for target in targets:
        left = -(-inputs * target.weight // whole)
        number = 0
        while left > 0:
            chunks.append((target.name, int(min(left, _CHUNK)), number))
            left -= _CHUNK
            number += 1
    return chunks


class _Worker:
    """A worker process and the chunk that it has."""

    def __init__(
        self,
        scratch: Path,
        load: Callable[[], dict[str, Target]],
        limits: tuple[float, int],
    ) -> None:
        self.scratch, self.load, self.limits = scratch, load, limits
        scratch.mkdir()
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context('spawn')
        self.pipe, child = context.Pipe()
        self.process = context.Process(
            target=work,
            args=(child, str(self.scratch), self.load, *self.limits),
            daemon=True,
        )
        self.process.start()
        child.close()
        self.job: tuple[str, int, int] | None = None
        self.ready = False

    def give(self, job: tuple[str, int, int]) -> None:
        self.job = job
        self.pipe.send(job)

    def stop(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()

    def silent_for(self) -> float:
        """Seconds since the last input was begun."""
        try:
            begun = (self.scratch / 'current').stat().st_mtime
        except OSError:
            return 0.0
        return time.time() - begun

    def fall(self, kind: str) -> Failure:
        """What killed the process, or kept it; starts another."""
        self.process.join(1)
        code = self.process.exitcode
        current = self.scratch / 'current'
        data = current.read_bytes() if current.exists() else b''
        self.stop()
        name = self.job[0] if self.job else ''
        message = f'the process ended with code {code}'
        if kind == 'Hang':
            message = 'it did not come back from native code'
        shutil.rmtree(self.scratch)
        self.scratch.mkdir()
        self.start()
        return Failure(name, kind, message, '', data)


def fuzz(
    targets: Sequence[Target],
    inputs: int,
    seed: int = 0,
    workers: int = 2,
    time_limit: float = 5.0,
    memory: int = 256,
    load: Callable[[], dict[str, Target]] = all_targets,
) -> tuple[dict[str, dict[str, Any]], list[Failure]]:
    """Run the inputs; returns counts by target, and the failures.

    Args:
        targets: Which ones.
        inputs: Number of inputs in all.
        seed: The same seed gives the same inputs.
        workers: Number of processes.
        time_limit: Seconds for one input.
        memory: MiB by which one input may make a process grow.
        load: Importable function that gives a worker its targets.
    """
    from tqdm import tqdm

    chunks = [(n, c, 1000 * seed + i) for n, c, i in plan(targets, inputs)]
    total = sum(count for _, count, _ in chunks)
    table = {
        t.name: dict(inputs=0, failed=0, seconds=0.0, slowest=0.0)
        for t in targets
    }
    failures: dict[str, Failure] = {}
    with tempfile.TemporaryDirectory(prefix='fuzz_', dir=_FAST) as folder:
        crew = [
            _Worker(Path(folder) / str(i), load, (time_limit, memory))
            for i in range(min(workers, len(chunks)))
        ]
        bar = tqdm(total=total, desc='fuzz', unit='input', disable=None)
        try:
            left = list(reversed(chunks))
            while left or any(w.job for w in crew):
                for worker in crew:
                    if worker.ready and worker.job is None and left:
                        worker.give(left.pop())
                for worker in _listen(crew, time_limit):
                    _take(worker, table, failures, left, bar)
                bar.set_postfix(failures=len(failures), refresh=False)
        finally:
            bar.close()
            for worker in crew:
                worker.stop()
    return table, list(failures.values())


def _listen(crew: list[_Worker], time_limit: float) -> list[_Worker]:
    heard = wait([w.pipe for w in crew], timeout=0.5)
    return [
        w
        for w in crew
        if w.pipe in heard or (w.job and w.silent_for() > 60 + 6 * time_limit)
    ]


def _take(
    worker: _Worker,
    table: dict[str, dict[str, Any]],
    failures: dict[str, Failure],
    left: list[tuple[str, int, int]],
    bar: Any,
) -> None:
    """Answer of a worker into the table."""
    try:
        answer = worker.pipe.recv() if worker.pipe.poll() else None
    except (EOFError, ConnectionError):
        answer = None
        worker.process.join(5)  # its end of the pipe closes first
        if not worker.ready:
            raise RuntimeError('a worker process did not start') from None
    if answer == 'ready':
        worker.ready = True
        return
    name, count, seed = worker.job or ('', 0, 0)
    if answer is None:
        kind = 'Crash' if not worker.process.is_alive() else 'Hang'
        failure = worker.fall(kind)
        failures.setdefault(failure.key, failure)
        table[name]['failed'] += 1
        # the chunk again, with other inputs; not for ever
        if seed < 3 * 10**9:
            left.append((name, count, seed + 10**9))
        return
    _, tally, found = answer
    worker.job = None
    row = table[name]
    row['inputs'] += tally['done']
    row['failed'] += tally['failed']
    row['seconds'] += tally['seconds']
    row['slowest'] = max(row['slowest'], tally['slowest'])
    for failure in found:
        failures.setdefault(failure.key, failure)
    bar.update(tally['done'])


def format_table(table: dict[str, dict[str, Any]]) -> str:
    """What is printed: counts and times by target."""
    lines = [
        f'{"target":<20}{"inputs":>9}{"failed":>8}{"ms each":>9}'
        f'{"slowest ms":>12}'
    ]
    rows = {**table, 'all': dict(inputs=0, failed=0, seconds=0, slowest=0)}
    for row in table.values():
        for key in ('inputs', 'failed', 'seconds'):
            rows['all'][key] += row[key]
        rows['all']['slowest'] = max(rows['all']['slowest'], row['slowest'])
    for name, row in rows.items():
        each = 1000 * row['seconds'] / max(row['inputs'], 1)
        lines.append(
            f'{name:<20}{row["inputs"]:>9}{row["failed"]:>8}{each:>9.1f}'
            f'{1000 * row["slowest"]:>12.0f}'
        )
    return '\n'.join(lines)


def replay(
    path: Path, targets: dict[str, Target], time_limit: float, memory: int
) -> Failure | None:
    """Run a saved input; the part of its name before the dash is the target.

    Raises:
        ToolError: No such file or target.
    """
    if not path.is_file():
        raise ToolError(f'there is no input {path}: check the path')
    target = targets.get(path.name.split('-', 1)[0])
    if target is None:
        raise ToolError(
            f'{path.name} names no target: call it <target>-<anything>'
        )
    with tempfile.TemporaryDirectory(dir=_FAST) as folder:
        runner = Runner(Path(folder), time_limit, memory)
        return runner.run(target, path.read_bytes())


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add(
        '--inputs',
        type=positive_int,
        default=10_000,
        metavar='N',
        help='number of inputs in all (default: %(default)s)',
    )
    add('--seed', type=int, default=0, help='default: %(default)s')
    add(
        '--targets',
        nargs='+',
        metavar='NAME',
        help='only these (default: all; --list names them)',
    )
    add('--list', action='store_true', help='name the targets and end')
    add(
        '--engine',
        choices=('own', 'atheris'),
        default='own',
        help='what makes the inputs (default: %(default)s)',
    )
    add(
        '--workers',
        type=positive_int,
        default=2,
        metavar='N',
        help='processes (default: %(default)s)',
    )
    add(
        '--time-limit',
        type=float,
        default=5.0,
        metavar='SECONDS',
        help='for one input (default: %(default)s)',
    )
    add(
        '--memory',
        type=positive_int,
        default=256,
        metavar='MIB',
        help='by which one input may make a process grow (default: '
        '%(default)s)',
    )
    add('--out', type=Path, metavar='DIR', help='keep failures here')
    add('--replay', type=Path, metavar='FILE', help='run one saved input')
    add('--child', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:  # before anything that atheris has to see is imported
        from tests.fuzz.atheris_engine import child

        child(args.child)
    targets = all_targets()
    if args.list:
        print('\n'.join(targets))
        return EXIT_OK
    if args.replay:
        return _replay(args, targets)
    chosen = _choose(args, targets)
    if args.engine == 'atheris':
        from tests.fuzz.atheris_engine import run_atheris

        return run_atheris(chosen, args)
    began = time.monotonic()
    table, failures = fuzz(
        chosen,
        args.inputs,
        args.seed,
        args.workers,
        args.time_limit,
        args.memory,
    )
    print(format_table(table))
    print(f'seed {args.seed}, {time.monotonic() - began:.0f} s')
    return report(failures, args.out)


def report(failures: Sequence[Failure], out: Path | None) -> int:
    """Print the failures, keep their inputs; the exit code."""
    for failure in failures:
        print(
            f'FAILED {failure.target}: {failure.kind} at '
            f'{failure.where or "-"}: {failure.message[:200]!r}'
        )
        if out is not None:
            print(f'  replay: {failure.save(out)}')
    return EXIT_INCOMPLETE if failures else EXIT_OK


def _choose(
    args: argparse.Namespace, targets: dict[str, Target]
) -> list[Target]:
    unknown = sorted(set(args.targets or ()) - targets.keys())
    if unknown:
        raise ToolError(
            f'no target is called {", ".join(unknown)}: --list names them'
        )
    return [targets[name] for name in args.targets or targets]


def _replay(args: argparse.Namespace, targets: dict[str, Target]) -> int:
    failure = replay(args.replay, targets, args.time_limit, args.memory)
    if failure is None:
        print(f'{args.replay}: fine')
        return EXIT_OK
    print(failure.trace or failure.message)
    return EXIT_INCOMPLETE


if __name__ == '__main__':
    run_main(main)
