"""Read one numeric array out of a MATLAB 5 file.

The format is MathWorks' "MAT-File Level 5": a header of 128 bytes, then
elements of type, length and data, of which a variable is one and holds
others. SciPy reads it too, but crashes the interpreter on some damaged
files; a download that broke off must be an error that names the file.
"""

import math
import struct
import zlib

import numpy as np

INT8, UINT8, INT32, UINT32, UTF8 = 1, 2, 5, 6, 16
MATRIX, COMPRESSED = 14, 15
# types of numbers in the file, by their number
_CODES = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4'}
_CODES |= {9: 'f8', 12: 'i8', 13: 'u8'}
# classes of arrays: double, single, and integers of 8 to 64 bits
_NUMERIC = range(6, 16)
_COMPLEX = 0x08
# the others, such as functions, are laid out differently
_WITH_SIZES = range(1, 16)


def read_mat_array(data: bytes, name: str, limit: int) -> np.ndarray | None:
    """A variable of a MATLAB 5 file, None where it does not hold it.

    Args:
        data: The file.
        name: The variable's name.
        limit: Most bytes that a compressed variable may have.

    Raises:
        ValueError: The file is damaged or of another version, or the
            variable is not a real numeric array.
    """
    if len(data) < 128 or data[126:128] not in (b'IM', b'MI'):
        raise ValueError('no header of MATLAB 5')
    order = '<' if data[126:128] == b'IM' else '>'
    [version] = struct.unpack(f'{order}H', data[124:126])
    if version != 0x0100:
        raise ValueError(
            'MATLAB 7.3 or a newer version, not 5: save it with -v7'
        )
    position = 128
    while position < len(data):
        kind, content, position = _element(data, position, order)
        if kind == COMPRESSED:
            kind, content, _ = _element(_unpack(content, limit), 0, order)
        if kind != MATRIX:
            raise ValueError(f'an element of type {kind} for a variable')
        if (array := _matrix(content, name, order)) is not None:
            return array
    return None


def _element(data: bytes, at: int, order: str) -> tuple[int, bytes, int]:
    """Type and data of an element, and where the next one begins."""
    if at + 8 > len(data):
        raise ValueError('it ends within an element')
    kind, size = struct.unpack_from(f'{order}II', data, at)
    if kind >> 16:  # up to 4 bytes lie within the head
        kind, size, start, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if size > 4:
            raise ValueError(f'a small element of {size} bytes')
    else:
        start = at + 8
        after = start + size
        if kind != COMPRESSED:
            after += -size % 8
    if start + size > len(data):
        raise ValueError('it ends within an element')
    return kind, data[start : start + size], after


def _unpack(content: bytes, limit: int) -> bytes:
    try:
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(content, limit)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not unpacker.eof:
        raise ValueError(f'cut off, or more than {limit} bytes unpacked')
    return unpacked


def _matrix(content: bytes, name: str, order: str) -> np.ndarray | None:
    if not content:  # MATLAB's empty element
        return None
    kind, flags, at = _element(content, 0, order)
    if kind != UINT32 or len(flags) != 8:
        raise ValueError('a variable without flags')
    [word] = struct.unpack_from(f'{order}I', flags)
    if word & 0xFF not in _WITH_SIZES:
        return None
    kind, sizes, at = _element(content, at, order)
    if kind not in (INT32, UINT32) or len(sizes) % 4:
        raise ValueError('a variable without sizes')
    kind, own_name, at = _element(content, at, order)
    if kind not in (INT8, UINT8, UTF8):
        raise ValueError('a variable without a name')
    if own_name.decode('latin1') != name:
        return None
    if word & 0xFF not in _NUMERIC or word >> 8 & _COMPLEX:
        raise ValueError(f'{name} is not an array of real numbers')
    kind, numbers, _ = _element(content, at, order)
    if kind not in _CODES:
        raise ValueError(f'{name} holds numbers of type {kind}')
    dtype = np.dtype(f'{order}{_CODES[kind]}')
    shape = struct.unpack(f'{order}{len(sizes) // 4}i', sizes)
    if min(shape, default=-1) < 0 or len(shape) > 32:
        raise ValueError(f'{name} has shape {shape[:32]}')
    if math.prod(shape) * dtype.itemsize != len(numbers):
        raise ValueError(
            f'{name} of shape {shape} and {dtype} has {len(numbers)} bytes'
        )
    return np.frombuffer(numbers, dtype).reshape(shape, order='F')
