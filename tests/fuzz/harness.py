"""Property tests of parsers: a value or one sentence, whatever the file.

``@fuzzed(...)`` makes such a test of a function that reads bytes. hypothesis
makes the inputs, shortens what fails and keeps it in its database.
"""

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lgd_mmaction.errors import LGDError

# of processor time: a busy machine is no fault of the input
TIME_LIMIT = 5.0
MEMORY_LIMIT = 256  # MiB by which one input may make the process grow
# a folder in memory, where there is one
_FAST = '/dev/shm' if Path('/dev/shm').is_dir() else None
# inputs that each property has seen, by its name
COUNTS: dict[str, int] = {}

Parser = Callable[[bytes, Path], None]


class Escape(AssertionError):
    """Something was written, or listed, outside of the output folder."""


class TooLarge(AssertionError):
    """An input made the process grow beyond the limit."""


class TooSlow(BaseException):
    """An input took longer than the limit; no parser may catch it."""


def fuzzed(
    *inputs: st.SearchStrategy,
    errors: tuple[type[Exception], ...] = (LGDError,),
    weight: float = 1.0,
) -> Callable[[Parser], Callable]:
    """Property: parsing any input ends in a value or in an own error.

    Args:
        inputs: Strategies of bytes, drawn from in equal parts.
        errors: What the parser may raise, with a message.
        weight: Share of the inputs, compared with the other properties.
    """

    def decorate(parse: Parser) -> Callable:
        def test(data: bytes) -> None:
            COUNTS[parse.__name__] = COUNTS.get(parse.__name__, 0) + 1
            run(parse, data, errors)

        # hypothesis keeps what failed by these names
        test.__name__ = test.__qualname__ = parse.__name__
        test.__module__, test.__doc__ = parse.__module__, parse.__doc__
        made = given(data=st.one_of(*inputs))(test)
        made.fuzz_weight = weight  # conftest.py shares the inputs out
        return made

    return decorate


def run(
    parse: Parser, data: bytes, errors: tuple[type[Exception], ...]
) -> None:
    """Parse one input in an empty folder, within time and memory.

    Raises:
        AssertionError: An own error has no message, or memory grew.
        TooSlow: It took longer than the limit.
        Exception: Whatever else the parser raised.
    """
    folder = Path(tempfile.mkdtemp(prefix='fuzz_', dir=_FAST))
    _forget_peak()
    before = _peak()
    try:
        with _limited(TIME_LIMIT):
            parse(data, folder)
    except errors as error:
        assert str(error).encode('utf-8', 'replace').strip()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    grown = (_peak() - before) / 1024
    if grown > MEMORY_LIMIT:
        raise TooLarge(f'the process grew by {grown:.0f} MiB')


def _forget_peak() -> None:
    Path('/proc/self/clear_refs').write_text('5')


def _peak() -> int:
    """Largest resident size since it was forgotten, in KiB."""
    status = Path('/proc/self/status').read_text()
    return int(status.partition('VmHWM:')[2].split()[0])


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise TooSlow(f'took longer than {seconds:g} s')

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# --------------------------------------------------------------- converters
SPLIT = b'\n=====\n'  # between the files of one input


def joined(*parts: st.SearchStrategy) -> st.SearchStrategy:
    """Several files in one input."""
    return st.tuples(*parts).map(SPLIT.join)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def convert(
    main: Callable[[list[str]], int],
    options: list[str],
    files: dict[str, bytes],
    folder: Path,
) -> None:
    """Run a converter on files below IN; look at where it wrote.

    Raises:
        Escape: Something was written or listed outside of its output.
    """
    for name, data in files.items():
        write(folder / 'in' / name, data)
    made = {path.relative_to(folder) for path in folder.glob('in/**/*')}
    words = [word.replace('IN', f'{folder}/in') for word in options]
    try:
        main([*words, '--workers', '1', '--out', f'{folder}/out'])
    finally:
        check_output(folder, made)


def check_output(folder: Path, made: set[Path]) -> None:
    """Nothing of a converter lies, leads or points outside of its output.

    Raises:
        Escape: Naming what does.
    """
    found = {p.name for p in folder.iterdir()} - {'in', 'out'}
    if found:
        raise Escape(f'written outside of --out: {sorted(found)[:3]}')
    inside = {p.relative_to(folder) for p in folder.glob('in/**/*')}
    if inside - made:
        raise Escape(f'written among the sources: {sorted(inside - made)[:3]}')
    for path in (folder / 'out').glob('*_videos.txt'):
        for line in path.read_text('utf-8').split('\n'):
            name = line.rsplit(' ', 1)[0]
            if name.startswith('/') or '..' in name.split('/'):
                raise Escape(f'{path.name} lists {name!r}')
