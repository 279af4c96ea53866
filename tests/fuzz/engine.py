"""One worker of the fuzzer: makes inputs, runs them, keeps what fails.

A worker is a process of its own. It writes every input down before it runs
it, so that the parent knows which one killed it.
"""

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.fuzz.target import Target, mutate

# of the inputs of a target that has a strategy
STRUCTURED = 0.3
_ROOT = Path(__file__).resolve().parents[2]


class Hang(BaseException):
    """An input took longer than the limit."""


@dataclass
class Failure:
    """An input that ended in anything but a result or an own error."""

    target: str
    kind: str
    message: str
    where: str
    data: bytes = field(repr=False)
    trace: str = field(default='', repr=False)

    @property
    def key(self) -> str:
        """The same for failures of one cause."""
        return f'{self.target} {self.kind} {self.where}'

    def save(self, folder: Path) -> Path:
        """Write the input and what happened; returns the input's path."""
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:10]
        path = folder / f'{self.target}-{digest}.bin'
        path.write_bytes(self.data)
        facts = asdict(self)
        facts['data'] = repr(self.data[:400])
        path.with_suffix('.json').write_text(json.dumps(facts, indent=2))
        return path


class Runner:
    """Runs single inputs of a target in a scratch folder.

    Args:
        scratch: A folder of its own.
        time_limit: Seconds of processor time for one input.
        memory: MiB by which one input may make the process grow.
    """

    def __init__(self, scratch: Path, time_limit: float, memory: int) -> None:
        self.scratch = scratch
        self.time_limit = time_limit
        self.memory = memory

    def run(self, target: Target, data: bytes) -> Failure | None:
        """What went wrong with an input, or None."""
        folder = self.scratch / 'work'
        folder.mkdir()
        _forget_peak()
        before = _peak()
        failure: Failure | None = None
        # a parser must not leave its mark on the next input
        with _limit(self.time_limit):
            try:
                target.run(data, folder)
            except target.errors as error:
                # one sentence that can be printed
                if not str(error).encode('utf-8', 'replace').strip():
                    failure = _failure(target, error, data)
            except (KeyboardInterrupt, GeneratorExit):
                raise
            except BaseException as error:
                failure = _failure(target, error, data)
        shutil.rmtree(folder, ignore_errors=True)
        grown = (_peak() - before) / 1024
        if failure is None and grown > self.memory:
            message = f'the process grew by {grown:.0f} MiB'
            failure = Failure(target.name, 'Memory', message, '', data)
        return failure

    def minimise(self, target: Target, failure: Failure) -> Failure:
        """A shorter input of the same failure, within 300 runs."""
        data, runs, step = failure.data, 0, max(1, len(failure.data) // 2)
        if failure.kind in ('Hang', 'Memory'):
            return failure
        while step and runs < 300:
            start = 0
            while start < len(data) and runs < 300:
                shorter = data[:start] + data[start + step :]
                runs += 1
                found = self.run(target, shorter)
                if found is not None and found.key == failure.key:
                    data, failure = shorter, found
                else:
                    start += step
            step //= 2
        return failure


def _forget_peak() -> None:
    """Let the peak be what is resident now; a fork inherits its parent's."""
    Path('/proc/self/clear_refs').write_text('5')


def _peak() -> int:
    """Largest resident size since it was forgotten, in KiB."""
    status = Path('/proc/self/status').read_text()
    return int(status.partition('VmHWM:')[2].split()[0])


@contextmanager
def _limit(seconds: float) -> Any:
    def stop(number: int, frame: Any) -> None:
        raise Hang(f'took longer than {seconds:g} s')

    before = signal.signal(signal.SIGPROF, stop)
    # processor time: a busy machine is no fault of the input
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _failure(target: Target, error: BaseException, data: bytes) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        f
        for f in frames
        if f.filename.startswith(str(_ROOT))
        and '/tests/fuzz/' not in f.filename
    ]
    last = (ours or list(frames))[-1]
    return Failure(
        target.name,
        type(error).__name__,
        str(error)[:300],
        f'{Path(last.filename).name}:{last.lineno} in {last.name}',
        data,
        ''.join(traceback.format_exception(error))[-4000:],
    )


# ------------------------------------------------------------------- inputs
def mutated(target: Target, count: int, seed: int) -> Any:
    """``count`` inputs out of the seeds, the seeds themselves first."""
    rng = random.Random(f'{target.name} {seed}')
    pool = list(target.seeds)
    for i in range(count):
        if seed == 0 and i < len(target.seeds):
            yield target.seeds[i]
            continue
        data = mutate(rng.choice(pool), rng, target)
        if rng.random() < 0.05:  # further from the seeds, step by step
            pool.append(data)
            del pool[len(target.seeds) : -50]
        yield data


def structured(
    target: Target, count: int, seed: int, use: Callable[[bytes], None]
) -> None:
    """Hands ``count`` inputs of the target's strategy to a function."""
    import hypothesis

    done = 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(target.strategy())
    def each(data: bytes) -> None:
        nonlocal done
        done += 1
        use(data)

    each()
    # a small strategy has fewer examples than asked for
    for data in mutated(target, count - done, seed + 1):
        use(data)


# ------------------------------------------------------------------- worker
def work(
    pipe: Connection,
    scratch: str,
    load: Callable[[], dict[str, Target]],
    time_limit: float,
    memory: int,
) -> None:
    """Body of a worker: answers (target, count, seed) until told to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # what parsers print is of no interest here
    # stderr of Python escapes odd file names, too
    quiet = open(os.devnull, 'w', errors='backslashreplace')  # noqa: SIM115
    os.dup2(quiet.fileno(), 1)
    os.dup2(quiet.fileno(), 2)
    sys.stdout = sys.stderr = quiet
    targets = load()
    _bound_memory(memory)
    runner = Runner(Path(scratch), time_limit, memory)
    seen: set[str] = set()
    pipe.send('ready')
    while (job := pipe.recv()) is not None:
        name, count, seed = job
        target = targets[name]
        found: list[Failure] = []
        tally = {'done': 0, 'failed': 0, 'slowest': 0.0}

        def use(data: bytes) -> None:
            _note(scratch, data)
            began = time.monotonic()
            failure = runner.run(target, data)  # noqa: B023
            tally['slowest'] = max(  # noqa: B023
                tally['slowest'],  # noqa: B023
                time.monotonic() - began,
            )
            tally['done'] += 1  # noqa: B023
            if failure is None:
                return
            tally['failed'] += 1  # noqa: B023
            if failure.key not in seen:
                seen.add(failure.key)
                small = runner.minimise(target, failure)  # noqa: B023
                found.append(small)  # noqa: B023

        began = time.monotonic()
        share = round(count * STRUCTURED) if target.strategy else 0
        if share:
            structured(target, share, seed, use)
        for data in mutated(target, count - share, seed):
            use(data)
        tally['seconds'] = time.monotonic() - began
        pipe.send((name, tally, found))


def _note(scratch: str, data: bytes) -> None:
    with open(os.path.join(scratch, 'current'), 'wb') as file:
        file.write(data)


def _bound_memory(memory: int) -> None:
    """Make allocations far beyond the bound fail instead of the machine.

    A parser that makes its own error of that failure passes: most such
    allocations are sizes that a file announces, never touched.
    """
    with open('/proc/self/statm') as file:
        pages = int(file.read().split()[0])
    used = pages * resource.getpagesize()
    limit = used + (memory + 1024) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
