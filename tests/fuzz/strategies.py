"""Structured inputs for hypothesis: right in form, odd in content."""

import json
import pickle
import random
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
