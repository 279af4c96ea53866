"""What is fuzzed: a parser, files that it takes, and its own errors."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Escape(AssertionError):
    """Something was written, or listed, outside of the output folder."""


@dataclass(frozen=True)
class Target:
    """One parser or converter.

    Attributes:
        name: How it is called on the command line.
        run: Takes the bytes of one input and an empty folder to work in.
        seeds: Valid inputs, which the mutator starts from.
        errors: What it may raise: the errors that users are shown.
        strategy: Makes hypothesis' strategy of structured inputs (bytes);
            None: the mutator alone.
        weight: Share of the inputs, compared with other targets.
        words: What the mutator may insert beside numbers and odd text.
    """

    name: str
    run: Callable[[bytes, Path], Any]
    seeds: Sequence[bytes]
    errors: tuple[type[BaseException], ...]
    strategy: Callable[[], Any] | None = None
    weight: float = 1.0
    words: Sequence[bytes] = field(default=())


# numbers at which types end, and text that parsers trip over
_NUMBERS = (
    *(b'0', b'-1', b'1', b'255', b'65536', b'2147483648', b'1e309', b'-0.0'),
    *(b'NaN', b'Infinity', b'9' * 30, b'9' * 5000, b'0x10', b'1_0', b'1.5'),
)
_TEXT = (
    *(b'\xef\xbb\xbf', b'\xff\xfe', b'\0', b'\r\n', b'\r', b'\x1c', b'\x85'),
    *(b'\xc2\xb2', b'\xd9\xa3', b'\xe2\x80\xa8', b'\xed\xb2\x80', b'..'),
    *(b'../../x', b'/etc/x', b'\\', b'//', b'"', b"'", b',', b' ', b'\t'),
    *(b'null', b'true', b'[]', b'{}', b'[' * 3000, b'%s{0}', b'~', b'#'),
)


def mutate(
    data: bytes, rng: random.Random, target: Target, largest: int = 20_000
) -> bytes:
    """A damaged copy: one to six random changes.

    Bits and bytes are changed, inserted, removed and repeated; words of the
    format, numbers at the ends of types and odd text are put in; two seeds
    are spliced; lines are removed, doubled and swapped.
    """
    buffer = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        _change(buffer, rng, target)
    return bytes(buffer[:largest])


def _change(buffer: bytearray, rng: random.Random, target: Target) -> None:
    size = len(buffer)
    at = rng.randrange(size + 1)
    kind = rng.randrange(11)
    if kind == 0 and size:
        buffer[at % size] ^= 1 << rng.randrange(8)
    elif kind == 1 and size:
        buffer[at % size] = rng.randrange(256)
    elif kind == 2:
        del buffer[at : at + rng.choice((1, 1, 2, 8, 64, size))]
    elif kind == 3:
        some = bytes(rng.randrange(256) for _ in range(rng.choice((1, 4))))
        buffer[at:at] = some
    elif kind == 4:
        part = buffer[at : at + rng.choice((1, 4, 32, 256))]
        buffer[at:at] = part * rng.choice((1, 1, 2, 50))
    elif kind in (5, 6):
        words = (_NUMBERS, _TEXT, target.words or _TEXT)[rng.randrange(3)]
        word = rng.choice(words)
        end = at + rng.choice((0, 0, 1, len(word)))
        buffer[at:end] = word
    elif kind == 7:
        other = rng.choice(target.seeds)
        buffer[at:] = other[rng.randrange(len(other) + 1) :]
    elif kind == 8:
        _change_number(buffer, rng)
    else:
        _change_lines(buffer, rng)


def _change_number(buffer: bytearray, rng: random.Random) -> None:
    """Put another number in the place of one."""
    starts = [
        i
        for i, c in enumerate(buffer[:4000])
        if 48 <= c <= 57 and (i == 0 or not 48 <= buffer[i - 1] <= 57)
    ]
    if not starts:
        return
    start = end = rng.choice(starts)
    while end < len(buffer) and 48 <= buffer[end] <= 57:
        end += 1
    buffer[start:end] = rng.choice(_NUMBERS)


def _change_lines(buffer: bytearray, rng: random.Random) -> None:
    lines = bytes(buffer).split(b'\n')
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.randrange(4)
    if how == 0:
        del lines[i]
    elif how == 1:
        lines.insert(j, lines[i])
    elif how == 2:
        lines[i], lines[j] = lines[j], lines[i]
    else:
        fields = lines[i].split(b' ')
        rng.shuffle(fields)
        lines[i] = b' '.join(fields)
    buffer[:] = b'\n'.join(lines)
