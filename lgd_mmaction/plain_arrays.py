"""NumPy arrays out of a checkpoint, without trusting their description.

NumPy's own unpickling is not safe even where no other class is allowed:
``dtype.__setstate__`` may say that raw bytes are Python objects, and
``ndarray(shape, dtype('O'), buffer)`` needs not even that; both turn bytes
of the file into pointers. These stand-ins take the place of numpy's names
when a checkpoint is read (see ``upstream_fixes.allow_mmengine_checkpoints``)
and accept only what a plain array or scalar of numbers or text needs.
"""

import math
import re
from pickle import UnpicklingError
from typing import Any

import numpy as np

# bool, integers, floats, complex, text, bytes; no objects, no structures
_CODE = re.compile(r'([?bhilqBHILQefdgFDG]|[biufc][0-9]{1,2}|[SU][0-9]{1,9})')


class PlainDType:
    """What ``numpy.dtype(code, False, True)`` becomes while a file is read.

    Args:
        code: As numpy pickles it, such as ``f8``, ``i4``, ``U12``.

    Raises:
        UnpicklingError: It is no number and no text.
    """

    def __init__(self, code: str, *flags: Any) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise UnpicklingError(
                f'it holds an array of dtype {str(code)[:40]!r}, which no '
                'checkpoint of mmengine does; do not trust this file'
            )
        try:
            self.dtype = np.dtype(code)
        except TypeError as error:
            raise UnpicklingError(str(error)) from None

    def __setstate__(self, state: Any) -> None:
        """Take the byte order; everything else must follow from the code."""
        order = state[1] if isinstance(state, tuple) and len(state) > 4 else ''
        if order not in ('<', '>', '|', '=') or any(
            part is not None for part in state[2:5]
        ):
            raise UnpicklingError(
                'it describes a dtype in an odd way; do not trust this file'
            )
        self.dtype = self.dtype.newbyteorder(order)


class PlainArray(np.ndarray):
    """What ``numpy.ndarray`` becomes while a file is read.

    An array as any other, only that its state was checked; saved again, it
    is a plain array.
    """

    def __new__(cls) -> 'PlainArray':
        # no arguments: a buffer could be taken for pointers
        return super().__new__(cls, (0,), np.int8)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise UnpicklingError('an array has an odd state')
        version, shape, dtype, fortran, data = state
        dtype = _numpy_dtype(dtype)
        if not isinstance(shape, tuple) or not all(
            isinstance(n, int) and n >= 0 for n in shape
        ):
            raise UnpicklingError(f'an array has shape {str(shape)[:40]}')
        size = math.prod(shape) * dtype.itemsize
        if not isinstance(data, bytes) or len(data) != size:
            raise UnpicklingError(
                f'an array of shape {shape} has not {size} bytes'
            )
        super().__setstate__((1, shape, dtype, bool(fortran), data))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)


def reconstruct(owner: Any, *empty: Any) -> PlainArray:
    """In place of ``numpy._core.multiarray._reconstruct``."""
    if owner is not PlainArray:
        raise UnpicklingError('it makes an array out of something else')
    return PlainArray()


def scalar(dtype: Any, data: Any) -> Any:
    """In place of ``numpy._core.multiarray.scalar``."""
    dtype = _numpy_dtype(dtype)
    if not isinstance(data, bytes) or len(data) != dtype.itemsize:
        raise UnpicklingError(f'a scalar of {dtype} has not its bytes')
    if not data:  # '' and b''
        return dtype.type()
    return np.frombuffer(data, dtype)[0]


def empty_bytes() -> bytes:
    """In place of ``bytes``: the data of an empty array, no more."""
    return b''


def _numpy_dtype(dtype: Any) -> np.dtype:
    if not isinstance(dtype, PlainDType):
        raise UnpicklingError('an array has no dtype')
    return dtype.dtype
