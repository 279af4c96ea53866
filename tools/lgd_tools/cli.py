"""What the command-line tools of ``tools/data`` share.

Standard library and tqdm only, so that preparing data needs neither torch
nor mmaction2. A tool is a function ``main(argv=None) -> int`` whose result
is its exit code; the file ends in ``run_main(main)``.

Exit codes of every tool:

====  ================================================================
0     done, nothing left out
1     done, and the report says what had to be left out
2     wrong input or arguments: one sentence on stderr, no result written
130   interrupted (Ctrl-C); nothing half-written is left under a final name
====  ================================================================
"""

import argparse
import contextlib
import hashlib
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lgd_mmaction.errors import LGDError
from lgd_mmaction.files import atomic_path

# In order of preference where one clip is there in several containers.
VIDEO_EXTENSIONS = (
    *('.mp4', '.mkv', '.webm', '.avi', '.mov'),
    *('.m4v', '.mpg', '.mpeg', '.flv', '.wmv'),
)

EXIT_OK, EXIT_INCOMPLETE, EXIT_ERROR, EXIT_INTERRUPTED = 0, 1, 2, 130


class ToolError(LGDError):
    """Wrong input; the message names the thing and the remedy."""


# ------------------------------------------------------------ running a tool
def run_main(main: Callable[..., int | None]) -> NoReturn:
    """Run ``main()`` and exit with its code; see the table above.

    Errors that a user can cause (``LGDError``, and files that cannot
    be read or written) become one line ``error: ...`` on stderr and code 2.
    Anything else is a defect and keeps its traceback.
    """
    if hasattr(sys.stdout, 'reconfigure'):
        # an odd file name must not stop a tool in an ASCII terminal
        sys.stdout.reconfigure(errors='backslashreplace')
    code = EXIT_ERROR
    try:
        code = main() or EXIT_OK
    except LGDError as error:
        print(f'error: {error}', file=sys.stderr)
    except BrokenPipeError:  # `tool | head` closed our stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f'{error.filename}: ' if error.filename else ''
        print(f'error: {where}{error.strerror or error}', file=sys.stderr)
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        code = EXIT_INTERRUPTED
    sys.exit(code)


def warn(message: str) -> None:
    """Print ``warning: ...`` to stderr."""
    print(f'warning: {printable(message)}', file=sys.stderr)


def progress(
    items: Iterable, desc: str, total: int | None = None, initial: int = 0
) -> Iterator:
    """The items, with a bar on stderr where stderr is a terminal."""
    from tqdm import tqdm

    return tqdm(items, desc, total, initial=initial, disable=None, leave=False)


# --------------------------------------------------------- argparse helpers
def make_parser(
    description: str, example: str = ''
) -> argparse.ArgumentParser:
    """A parser whose help keeps line breaks and ends in an example."""
    epilog = f'example:\n{example}\n\n' if example else ''
    epilog += """\
exit code: 0 done, 1 done but something was left out (see the report),
2 wrong input, 130 interrupted"""
    form = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(
        description=description, epilog=epilog, formatter_class=form
    )


def _number(
    convert: Callable[[str], Any], fits: Callable[[Any], bool], what: str
) -> Callable[[str], Any]:
    """argparse type: a number for which ``fits`` is true."""

    def parse(text: str) -> Any:
        with contextlib.suppress(ValueError):
            if fits(value := convert(text)):
                return value
        raise argparse.ArgumentTypeError(f'{text!r} is not {what}')

    return parse


positive_int = _number(int, lambda n: n >= 1, 'a whole number of at least 1')
non_negative_int = _number(
    int, lambda n: n >= 0, 'a whole number of at least 0'
)
positive = _number(float, lambda x: 0 < x < math.inf, 'a number above 0')
open_fraction = _number(
    float, lambda x: 0 < x < 1, 'a number between 0 and 1 (both excluded)'
)


def parse_size(text: str) -> tuple[int, int]:
    """argparse type: ``320x240`` is (width, height) in pixels, ``64`` both."""
    match = re.fullmatch(r'0*([1-9]\d*)(?:x0*([1-9]\d*))?', text.lower())
    if match is None:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a size WIDTHxHEIGHT in pixels, like 320x240'
        )
    return int(match[1]), int(match[2] or match[1])


def default_workers() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers``."""
    parser.add_argument(
        '--workers', type=positive_int, default=default_workers(), metavar='N',
        help='parallel workers (default: the cores of this machine, '
        '%(default)s)',
    )  # fmt: skip


# -------------------------------------------------------------- reading text
def require_dir(path: str | os.PathLike, what: str) -> Path:
    """``path`` as a Path, or ToolError where it is no folder."""
    return _require(Path(path), Path.is_dir, f'{what} {path}', 'folder')


def require_file(path: str | os.PathLike, what: str) -> Path:
    """``path`` as a Path, or ToolError where it is no file."""
    return _require(Path(path), Path.is_file, f'{what} {path}', 'file')


def _require(path: Path, fits: Callable, what: str, kind: str) -> Path:
    if not fits(path):
        state = f'is not a {kind}' if path.exists() else 'does not exist'
        raise ToolError(f'{what} {state}: check the path')
    return path


def read_text(path: str | os.PathLike, what: str = 'file') -> str:
    """Text of a list or csv; see :func:`decode_text`."""
    return decode_text(require_file(path, what).read_bytes(), f'{what} {path}')


def decode_text(data: bytes, where: str) -> str:
    """UTF-8 with or without BOM, else Latin-1; line ends become ``\\n``.

    Files written by Python 2 tools hold raw bytes of the file names;
    Latin-1 maps every byte to one character, so nothing is lost.
    """
    if b'\0' in data:
        raise ToolError(
            f'{where} holds NUL bytes, so it is binary or UTF-16: save it as '
            'UTF-8 text'
        )
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError:
        text = data.decode('latin-1')
    return text.replace('\r\n', '\n').replace('\r', '\n')


def read_lines(
    path: str | os.PathLike, what: str = 'file'
) -> list[tuple[int, str]]:
    """``(line number from 1, stripped text)`` of every line but blank ones."""
    lines = read_text(path, what).split('\n')
    return [(i, s.strip()) for i, s in enumerate(lines, 1) if s.strip()]


def read_list(path: Path, fields: int = 1) -> list[tuple[str, list[int]]]:
    """Read mmaction2 lists: a path, then ``fields`` whole numbers.

    ``fields=1`` reads ``path label``, ``fields=2`` reads
    ``dir total_frames label``.
    """
    rows = []
    for number, line in read_lines(path, 'list'):
        name, *words = line.rsplit(None, fields)
        values = []
        with contextlib.suppress(ValueError):
            values = [int(word) for word in words]
        if len(values) != fields:
            raise ToolError(
                f'{path}:{number}: expected a path and {fields} whole '
                f'number(s), got {line!r}: write the list again'
            )
        rows.append((name, values))
    return rows


def read_label_map(path: Path) -> list[str]:
    """Class names of a label map, one a line, in the order of the index."""
    first: dict[str, int] = {}
    for number, name in read_lines(path, 'label map'):
        if first.setdefault(name, number) != number:
            raise ToolError(
                f'{path}:{number}: class {name!r} stands on line '
                f'{first[name]} too: keep one of them'
            )
    if not first:
        raise ToolError(f'label map {path} is empty: one class name a line')
    return list(first)


def class_names(label_map: str | os.PathLike | None, number: int) -> list[str]:
    """Names of so many classes, 'class 0' ... where there is no label map."""
    if label_map is None:
        return [f'class {i}' for i in range(number)]
    names = read_label_map(Path(label_map))
    if len(names) != number:
        raise ToolError(
            f'the label map {label_map} has {len(names)} classes, not '
            f'{number}: give the map of this data set'
        )
    return names


# -------------------------------------------------------------- writing text
def printable(text: str) -> str:
    """Text that any UTF-8 file can hold; odd bytes become ``\\udcxx``.

    File names that are not UTF-8 come with such bytes hidden in surrogates.
    """
    return text.encode('utf-8', 'backslashreplace').decode('utf-8')


def write_text(path: str | os.PathLike, text: str) -> Path:
    """Write UTF-8 text atomically: the old file or the whole new one.

    Names that are not UTF-8 become :func:`printable`, with a warning: hours
    of work must not end without a report, nor a name change unseen.
    """
    path = Path(path)
    odd = [s for s in text.split('\n') if printable(s) != s]
    if odd:
        warn(
            f'{path}: {len(odd)} lines hold file names that are not UTF-8, '
            f'written with \\udcxx for a byte xx (the first: '
            f'{printable(odd[0])}): rename those files where lists need '
            'them'
        )
        text = printable(text)
    with atomic_path(path) as part:
        part.write_text(text, encoding='utf-8', newline='\n')
    return path


def write_lines(path: str | os.PathLike, lines: Iterable[str]) -> Path:
    """Write one item a line, atomically, with a final newline."""
    return write_text(path, ''.join(f'{line}\n' for line in lines))


def write_json(path: str | os.PathLike, data: Any) -> Path:
    """Write indented JSON atomically; non-finite numbers are refused."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    # in JSON \\udcxx means just what it stands for: nothing is changed
    return write_text(path, printable(text) + '\n')


def markdown_table(head: Sequence[str], rows: Iterable[Sequence]) -> str:
    """A Markdown table; None is a dash."""
    lines = [head, ['---'] * len(head), *rows]
    texts = [['-' if c is None else str(c) for c in line] for line in lines]
    return '\n'.join(f'| {" | ".join(line)} |' for line in texts)


# ------------------------------------------------------------------- videos
def list_videos(root: str | os.PathLike) -> list[str]:
    """Paths, relative to ``root`` with ``/``, of the videos under it.

    Walks all depths and links to folders, in sorted order; skips hidden
    files and folders and links that lead nowhere.
    """
    seen, found = set(), []
    require_dir(root, 'video folder')
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith('.'))
        for name in sorted(files):
            path = os.path.join(folder, name)
            video = os.path.splitext(name)[1].lower() in VIDEO_EXTENSIONS
            # '._x.mp4' are macOS resource forks, '.x.mp4' unfinished outputs
            if video and not name.startswith('.') and os.path.isfile(path):
                found.append(os.path.relpath(path, root))
    return found


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
