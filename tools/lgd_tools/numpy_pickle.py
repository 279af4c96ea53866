"""Read pickles of plain Python values and numeric NumPy arrays, only those.

For annotation files that come as pickles, often of Python 2. A pickle may
name any function and so run any code. Here only NumPy's dtypes, arrays and
scalars are admitted, and not even NumPy's own code builds them: its
``dtype.__setstate__`` believes a file that calls bytes Python objects. The
stand-ins below build arrays of numbers and text from bytes whose number they
have checked. (``lgd_mmaction.plain_arrays`` does the same for checkpoints;
the tools do without the package, whose import takes seconds.)
"""

import io
import math
import os
import pickle
import re
import struct
import sys
from typing import Any

import numpy as np

from lgd_tools.cli import ToolError, require_file

# A key of nested tuples is hashed in C, level by level, until the stack
# ends and with it the process.
_KEYS = (str, bytes, int, float, bool, type(None), np.generic)
# no more places than this in an array without bytes
_MAX_EMPTY = 10**4
# bool, integers, floats, text and bytes; no objects, no structures
_CODE = re.compile(r'[?bhilqBHILQefd]|[biuf][0-9]{1,2}|[SU][0-9]{1,6}')


class UnsafePickle(pickle.UnpicklingError):
    """The pickle holds more than values and numeric arrays."""


def load_numpy_pickle(
    path: str | os.PathLike, what: str, remedy: str = 'download it again'
) -> Any:
    """The content of a pickle; strings of Python 2 are read as Latin-1.

    Args:
        path: The file.
        what: What it is, for messages: 'annotation pickle'.
        remedy: What to do about a file that cannot be read.

    Raises:
        ToolError: The file is missing, damaged, or holds anything else than
            None, bool, int, float, str, bytes, list, tuple, dict and
            NumPy arrays and scalars of numbers or text. Nothing of it has
            been called.
    """
    path = require_file(path, what)
    data = path.read_bytes()
    try:
        return NumpyUnpickler(data).load()
    except UnsafePickle as error:
        raise ToolError(
            f'{what} {path} {error}; nothing of it was run or used: {remedy}'
        ) from None
    # a damaged pickle can raise nearly anything
    except Exception as error:
        text = ' '.join(str(error).split())[:200]
        raise ToolError(
            f'{what} {path} is damaged or no pickle '
            f'({type(error).__name__}: {text}): {remedy}'
        ) from None


class NumpyUnpickler(pickle._Unpickler):
    # The one in Python: that in C makes room for whatever number of values
    # a damaged file announces.
    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        super().__init__(io.BytesIO(data), encoding='latin1')

    def load_bytearray8(self) -> None:
        (size,) = struct.unpack('<Q', self.read(8))
        if size > self.size:
            raise pickle.UnpicklingError('the file is truncated')
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def load_setitem(self) -> None:
        _check_keys(self.stack[-2:-1])
        super().load_setitem()

    dispatch[pickle.SETITEM[0]] = load_setitem

    # in these two the stack begins at the mark
    def load_setitems(self) -> None:
        _check_keys(self.stack[::2])
        super().load_setitems()

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def load_dict(self) -> None:
        _check_keys(self.stack[::2])
        super().load_dict()

    dispatch[pickle.DICT[0]] = load_dict

    def refuse_set(self) -> None:
        raise UnsafePickle('holds a set, which no annotation needs')

    # what is in a set is hashed like a key
    dispatch |= dict.fromkeys(
        pickle.EMPTY_SET + pickle.ADDITEMS + pickle.FROZENSET, refuse_set
    )

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise UnsafePickle(
                f'names {module}.{name}, which no annotation needs'
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise UnsafePickle('refers to something outside itself')


def _check_keys(keys: list) -> None:
    for key in keys:
        if not isinstance(key, _KEYS):
            raise UnsafePickle(
                f'has a {type(key).__name__} for the key of a dict, neither '
                'text nor a number'
            )


# ---------------------------------------------------- in place of numpy's own
class _DType:
    """``numpy.dtype``: made from its code, then told the byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        code = code.decode('latin1') if isinstance(code, bytes) else code
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise UnsafePickle(
                f'holds an array of dtype {str(code)[:40]!r}, neither '
                'numbers nor text'
            )
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, subtype, names, fields, size, ...)
        order = state[1] if isinstance(state, tuple) and len(state) > 4 else ''
        if order not in ('<', '>', '|', '=') or any(
            part is not None for part in state[2:5]
        ):
            raise UnsafePickle('describes a dtype in an odd way')
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """``numpy.ndarray``: empty at first, then given a checked state."""

    def __new__(cls, *_: Any) -> '_Array':
        # the arguments could pass a buffer off as pointers
        return super().__new__(cls, (0,), np.int8)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise UnsafePickle('holds an array of an odd state')
        shape, dtype, fortran, data = state[-4:]
        dtype, data = _numpy_dtype(dtype), _as_bytes(data)
        _check_size(shape, dtype, data)
        super().__setstate__((1, shape, dtype, bool(fortran), data))


def _reconstruct(owner: Any, *_: Any) -> _Array:
    if owner is not _Array:
        raise UnsafePickle(f'makes an array of {str(owner)[:40]!r}')
    return _Array()


def _scalar(dtype: Any, data: Any = b'') -> Any:
    dtype, data = _numpy_dtype(dtype), _as_bytes(data)
    _check_size((), dtype, data)
    return np.frombuffer(data, dtype)[0] if data else dtype.type()


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any = 'C') -> Any:
    # protocol 5
    dtype, data = _numpy_dtype(dtype), _as_bytes(data)
    _check_size(shape, dtype, data)
    array = np.frombuffer(data, dtype).copy()
    return array.reshape(shape, order=order).view(_Array)


def _encode(text: Any, encoding: Any = '') -> bytes:
    # how Python 3 writes bytes for Python 2
    if not isinstance(text, str) or encoding not in ('latin1', 'latin-1'):
        raise UnsafePickle('holds bytes in an odd encoding')
    return text.encode('latin1')


def _empty_bytes() -> bytes:
    return b''


def _numpy_dtype(dtype: Any) -> np.dtype:
    if not isinstance(dtype, _DType):
        raise UnsafePickle('holds an array without a dtype')
    return dtype.dtype


def _as_bytes(data: Any) -> bytes:
    if isinstance(data, str):  # the bytes of Python 2
        return data.encode('latin1')
    if not isinstance(data, (bytes, bytearray)):
        raise UnsafePickle('holds an array that is not made of bytes')
    return bytes(data)


def _check_size(shape: Any, dtype: np.dtype, data: bytes) -> None:
    if not isinstance(shape, tuple) or not all(
        type(n) is int and n >= 0 for n in shape
    ):
        raise UnsafePickle(f'holds an array of shape {str(shape)[:40]}')
    size = math.prod(shape) * dtype.itemsize
    if len(data) != size:
        raise UnsafePickle(
            f'holds an array of shape {shape} and {dtype} with {len(data)} '
            f'bytes, not {size}'
        )
    if dtype.kind == 'U' and data:
        codes = np.frombuffer(data, f'{dtype.byteorder}u4')
        if (codes > sys.maxunicode).any():
            raise UnsafePickle('holds an array that is no Unicode text')
    # Text of length 0 and shapes such as (10**9, 0) need no bytes, but the
    # lists made of them do.
    if math.prod(max(n, 1) for n in shape) > max(len(data), _MAX_EMPTY):
        raise UnsafePickle(
            f'holds an array of shape {shape} and {dtype} without a byte'
        )


_ADMITTED: dict[tuple[str, str], Any] = {
    ('numpy', 'dtype'): _DType,
    ('numpy', 'ndarray'): _Array,
    ('_codecs', 'encode'): _encode,
    # how Python 3 writes empty bytes for Python 2
    ('__builtin__', 'bytes'): _empty_bytes,
    ('builtins', 'bytes'): _empty_bytes,
}
# before and since NumPy 2
for _core in ('numpy.core', 'numpy._core'):
    _ADMITTED[f'{_core}.multiarray', '_reconstruct'] = _reconstruct
    _ADMITTED[f'{_core}.multiarray', 'scalar'] = _scalar
    _ADMITTED[f'{_core}.numeric', '_frombuffer'] = _frombuffer
