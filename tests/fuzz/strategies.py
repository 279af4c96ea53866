"""Inputs: damaged files, and those right in form and odd in content."""

import json
import pickle
import random
import re
from typing import Any

from hypothesis import strategies as st

_ODD_WORDS = (
    *('..', '.', '/', '/abs', '../../up', 'a/b', 'x' * 300, '\x85', '\x1c'),
    *('\u00b2', '\u0663', '\u2028', '-1', '1e400', '9' * 5000, '#NAME?'),
)


def words() -> Any:
    """Short text, part of it odd."""
    plain = st.text('abgv_01.', min_size=1, max_size=8)
    return st.one_of(plain, st.sampled_from(_ODD_WORDS), st.text(max_size=6))


def numbers() -> Any:
    """Numbers as JSON can hold them."""
    return st.one_of(
        st.integers(-2, 12),
        st.integers(),
        st.sampled_from((2**31, 2**63, 10**400, 0.5, -0.0, 1e308)),
        st.floats(),
    )


def json_values() -> Any:
    """Any JSON value, not deep."""
    leaves = st.one_of(st.none(), st.booleans(), numbers(), words())
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(words(), inner, max_size=3),
        ),
        max_leaves=6,
    )


def lines(*fields: Any, separator: str = ' ') -> Any:
    """Text of lines of fields; now and then a field more or less."""
    row = st.tuples(*fields).map(lambda f: separator.join(map(str, f)))
    rows = st.lists(st.one_of(row, row, row, words()), max_size=6)
    ends = st.sampled_from(('\n', '\n', '\r\n', '\r'))
    return st.tuples(rows, ends).map(lambda r: _encode(r[1].join(r[0])))


def changed_json(example: Any, per_line: bool = False) -> Any:
    """A valid document with one to four of its values replaced.

    Args:
        example: The document; a list of them where ``per_line``.
        per_line: One document a line.
    """

    def change(parts: tuple) -> bytes:
        seed, values = parts
        rng = random.Random(seed)
        copy = json.loads(json.dumps(example))
        for value in values:
            _replace(copy, value, rng)
        if per_line:
            return _encode('\n'.join(map(_dumps, copy)) + '\n')
        return _encode(_dumps(copy))

    values = st.lists(json_values(), min_size=1, max_size=4)
    return st.tuples(st.integers(0, 2**32), values).map(change)


def changed_pickle(example: Any) -> Any:
    """A pickle of plain values with some of them replaced."""

    def change(parts: tuple) -> bytes:
        seed, values, protocol = parts
        rng = random.Random(seed)
        copy = pickle.loads(pickle.dumps(example))  # our own
        for value in values:
            _replace(copy, value, rng)
        return pickle.dumps(copy, protocol)

    values = st.lists(
        st.one_of(json_values(), st.binary(max_size=4)), min_size=1, max_size=3
    )
    return st.tuples(
        st.integers(0, 2**32), values, st.sampled_from((2, 4, 5))
    ).map(change)


def _replace(tree: Any, value: Any, rng: random.Random) -> None:
    """Put a value, or nothing, in a random place of nested containers."""
    while isinstance(tree, (dict, list)) and tree:
        keys = list(tree) if isinstance(tree, dict) else range(len(tree))
        key = rng.choice(keys)
        inner = tree[key]
        if isinstance(inner, (dict, list)) and inner and rng.random() < 0.75:
            tree = inner
            continue
        if rng.random() < 0.2:
            del tree[key]
        elif rng.random() < 0.2 and isinstance(tree, dict):
            tree[str(value)[:20]] = tree.pop(key)
        else:
            tree[key] = value
        return


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=True)


def _encode(text: str) -> bytes:
    return text.encode('utf-8', 'surrogatepass')


# ------------------------------------------------------------- damaged files
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


def damaged(*seeds: bytes, words: tuple[bytes, ...] = ()) -> Any:
    """A valid file with up to six changes; it shortens to one with none.

    Args:
        seeds: Valid files.
        words: What may be put in beside numbers and odd text.
    """
    piece = st.one_of(
        st.sampled_from((*_NUMBERS, *_TEXT)),
        st.sampled_from((*words, *seeds)),
        st.binary(min_size=1, max_size=4),
    )
    size = st.sampled_from((0, 1, 2, 4, 8, 64, 256, 20_000))
    change = st.tuples(
        st.sampled_from(_CHANGES), st.integers(0, 2**16), size, piece
    )
    parts = st.tuples(st.sampled_from(seeds), st.lists(change, max_size=6))
    return parts.map(_apply)


def _apply(parts: tuple) -> bytes:
    data, changes = parts
    for change, at, size, piece in changes:
        data = change(data, at % (len(data) + 1), size, piece)[:20_000]
    return data


def _put(data: bytes, at: int, size: int, piece: bytes) -> bytes:
    return data[:at] + piece + data[at + size :]


def _overwrite(data: bytes, at: int, size: int, piece: bytes) -> bytes:
    return data[:at] + piece + data[at + len(piece) :]


def _remove(data: bytes, at: int, size: int, piece: bytes) -> bytes:
    return data[:at] + data[at + size :]


def _repeat(data: bytes, at: int, size: int, piece: bytes) -> bytes:
    count = 1 + len(piece) % 50
    return data[:at] + data[at : at + size] * count + data[at:]


def _flip_bit(data: bytes, at: int, size: int, piece: bytes) -> bytes:
    flipped = bytes(byte ^ 1 << piece[0] % 8 for byte in data[at : at + 1])
    return data[:at] + flipped + data[at + 1 :]


def _number(data: bytes, at: int, size: int, piece: bytes) -> bytes:
    """Put something in the place of the next number."""
    if (found := re.compile(rb'[0-9]+').search(data, at)) is None:
        return data
    return data[: found.start()] + piece + data[found.end() :]


def _lines(data: bytes, at: int, size: int, piece: bytes) -> bytes:
    """Remove, double, swap or turn round a line."""
    rows = data.split(b'\n')
    i, j = at % len(rows), size % len(rows)
    how = piece[0] % 4
    if how == 0:
        del rows[i]
    elif how == 1:
        rows.insert(j, rows[i])
    elif how == 2:
        rows[i], rows[j] = rows[j], rows[i]
    else:
        rows[i] = b' '.join(reversed(rows[i].split(b' ')))
    return b'\n'.join(rows)


_CHANGES = (_put, _overwrite, _remove, _repeat, _flip_bit, _number, _lines)
