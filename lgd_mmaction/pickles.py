"""Read pickles that may come from anywhere: weights, scores, annotations.

A pickle may name any function and so run any code. Here only tensors, arrays
of numbers and text, and plain Python values are made; nothing in the file
runs, memory stays in proportion to its size, and what is wrong is one
sentence. Not even NumPy's own code builds the arrays: ``dtype.__setstate__``
and ``ndarray(shape, dtype('O'), buffer)`` turn bytes of a file into pointers.
Stand-ins take the place of these names and look at every size first.
"""

import contextlib
import io
import math
import mmap as memory_map
import os
import pickle
import pickletools
import re
import struct
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from lgd_mmaction.errors import CheckpointError, DataError

# bool, integers, floats, complex, text, bytes; no objects, no structures
_CODE = re.compile(r'[?bhilqBHILQefdgFDG]|[biufc][0-9]{1,2}|[SU][0-9]{1,9}')
# A key of nested tuples is hashed in C, level by level, until the stack
# ends and with it the process.
_KEYS = (str, bytes, int, float, bool, type(None), np.generic)
# no more places than this in an array without bytes
_MAX_EMPTY = 10**4
_MAX_ENTRIES = 10**6
_LONGEST_NAME = 300


class UnsafePickle(pickle.UnpicklingError):
    """The pickle holds more than values, numeric arrays and tensors."""


# ---------------------------------------------------- scores and annotations
def load_values(
    path: str | os.PathLike,
    what: str,
    remedy: str = 'download it again',
    tensors: bool = False,
) -> Any:
    """The content of a pickle of plain values and numeric arrays.

    Args:
        path: The file; strings of Python 2 are read as Latin-1.
        what: What it is, for messages: 'annotation pickle'.
        remedy: What to do about a file that cannot be read.
        tensors: Admit tensors and ``OrderedDict`` too.

    Raises:
        DataError: The file is missing, damaged, or holds anything else than
            None, bool, int, float, str, bytes, list, tuple, dict and NumPy
            arrays and scalars of numbers or text. Nothing of it was called.
    """
    path = Path(path)
    if not path.is_file():
        state = 'is not a file' if path.exists() else 'does not exist'
        raise DataError(f'{what} {path} {state}: check the path')
    try:
        return _Unpickler(path.read_bytes(), tensors).load()
    except UnsafePickle as error:
        raise DataError(
            f'{what} {path} {error}; nothing of it was run or used: {remedy}'
        ) from None
    # a damaged pickle can raise nearly anything
    except Exception as error:
        text = ' '.join(str(error).split())[:200]
        raise DataError(
            f'{what} {path} is damaged or no pickle '
            f'({type(error).__name__}: {text}): {remedy}'
        ) from None


class _Unpickler(pickle._Unpickler):
    # The one in Python: that in C makes room for whatever number of values
    # a damaged file announces.
    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, data: bytes, tensors: bool) -> None:
        self.size = len(data)
        self.admitted = {**ARRAYS, **(_TENSORS if tensors else {})}
        super().__init__(io.BytesIO(data), encoding='latin1')

    def load_bytearray8(self) -> None:
        (size,) = struct.unpack('<Q', self.read(8))
        if size > self.size:
            raise pickle.UnpicklingError('the file is truncated')
        self.append(bytearray(self.read(size)))

    def refuse_set(self) -> None:  # what is in it is hashed like a key
        raise UnsafePickle('holds a set, which no data need')

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    dispatch |= dict.fromkeys(
        pickle.EMPTY_SET + pickle.ADDITEMS + pickle.FROZENSET, refuse_set
    )

    def find_class(self, module: str, name: str) -> Any:
        full = f'{module}.{name}'
        if full not in self.admitted:
            raise UnsafePickle(f'names {full}, which no data need')
        return self.admitted[full]

    def persistent_load(self, pid: Any) -> Any:
        raise UnsafePickle('refers to something outside itself')


def _look_at_keys(code: bytes, keys: slice) -> None:
    """Let an opcode that fills a dict refuse keys that are containers."""
    fill = pickle._Unpickler.dispatch[code[0]]

    def load(self: _Unpickler) -> None:
        for key in self.stack[keys]:
            if not isinstance(key, _KEYS):
                raise UnsafePickle(
                    f'has a {type(key).__name__} for the key of a dict, '
                    'neither text nor a number'
                )
        fill(self)

    _Unpickler.dispatch[code[0]] = load


_look_at_keys(pickle.SETITEM, slice(-2, -1))
_look_at_keys(pickle.SETITEMS, slice(None, None, 2))  # from the mark on
_look_at_keys(pickle.DICT, slice(None, None, 2))


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
    """``numpy.ndarray``: empty, then given a state; saved, a plain array."""

    def __new__(cls, *arguments: Any) -> '_Array':
        if arguments:  # they could pass a buffer off as pointers
            raise UnsafePickle('makes an array of something else')
        return super().__new__(cls, (0,), np.int8)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise UnsafePickle('holds an array of an odd state')
        shape, dtype, fortran, data = state[-4:]
        dtype, data = _checked(shape, dtype, data)
        super().__setstate__((1, shape, dtype, bool(fortran), data))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)


def _reconstruct(owner: Any, *_: Any) -> _Array:
    if owner is not _Array:
        raise UnsafePickle(f'makes an array of {str(owner)[:40]!r}')
    return _Array()


def _scalar(dtype: Any, data: Any = b'') -> Any:
    dtype, data = _checked((), dtype, data)
    return np.frombuffer(data, dtype)[0] if data else dtype.type()


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any = 'C') -> Any:
    dtype, data = _checked(shape, dtype, data)
    array = np.frombuffer(data, dtype).copy()
    return array.reshape(shape, order=order).view(_Array)


def _encode(text: Any, encoding: Any = '') -> bytes:
    # how Python 3 writes bytes for Python 2
    if not isinstance(text, str) or encoding not in ('latin1', 'latin-1'):
        raise UnsafePickle('holds bytes in an odd encoding')
    return text.encode('latin1')


def _checked(shape: Any, dtype: Any, data: Any) -> tuple[np.dtype, bytes]:
    """NumPy's dtype and the bytes, where they are what the shape needs."""
    if not isinstance(dtype, _DType):
        raise UnsafePickle('holds an array without a dtype')
    dtype = dtype.dtype
    if isinstance(data, str):  # the bytes of Python 2
        data = data.encode('latin1')
    if not isinstance(data, (bytes, bytearray)):
        raise UnsafePickle('holds an array that is not made of bytes')
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
    return dtype, bytes(data)


# what each name of a pickle stands for
ARRAYS: dict[str, Any] = {
    'numpy.dtype': _DType,
    'numpy.ndarray': _Array,
    '_codecs.encode': _encode,
    # an empty array or text is pickled with bytes()
    '__builtin__.bytes': lambda: b'',
    'builtins.bytes': lambda: b'',
}
for _core in ('numpy.core', 'numpy._core'):  # before and since NumPy 2
    ARRAYS[f'{_core}.multiarray._reconstruct'] = _reconstruct
    ARRAYS[f'{_core}.multiarray.scalar'] = _scalar
    ARRAYS[f'{_core}.numeric._frombuffer'] = _frombuffer


# ---------------------------------------------------- in place of torch's own
def _tensor(
    storage: Any, offset: Any, size: Any, stride: Any, *rest: Any
) -> Any:
    # torch's own would make room for whatever size the file says
    import torch

    # the storage's own size() is deprecated and says so
    none = torch._utils._rebuild_tensor_v2(storage, 0, (0,), (1,), *rest)
    room = none.untyped_storage().nbytes() // none.element_size()
    steps = zip(size, stride, strict=True)
    last = offset + sum((n - 1) * step for n, step in steps)
    if min((offset, *size, *stride)) < 0 or 0 not in size and last >= room:
        raise UnsafePickle('holds a tensor larger than its storage')
    return torch._utils._rebuild_tensor_v2(
        storage, offset, size, stride, *rest
    )


def _storage(data: bytes) -> Any:
    # torch's own function of this name switches weights_only off
    import torch

    # storages are pickled in the old format; a zip could unfold to anything
    if data[:2] == b'PK':
        raise UnsafePickle('holds a storage in an odd format')
    return torch.load(io.BytesIO(data), weights_only=True)


_TENSORS = {
    'torch._utils._rebuild_tensor_v2': _tensor,
    'torch.storage._load_from_bytes': _storage,
    # filled later, when its keys are looked at
    'collections.OrderedDict': lambda: OrderedDict(),
}


# ------------------------------------------------------------------- weights
def load_weights(path: str | os.PathLike, mmap: bool = False) -> Any:
    """``torch.load(path, weights_only=True)`` on the CPU, in one sentence.

    Args:
        path: A local file.
        mmap: Leave the weights on the disk, where the format allows it.

    Raises:
        CheckpointError: It is missing or unreadable, asks for code to be
            run, or would unpack to more than its own size.
    """
    import torch

    path = Path(path)
    begin = f'the checkpoint {path} cannot be read'
    try:
        is_zip = zipfile.is_zipfile(path)
        _require_plain(path, is_zip)
        return torch.load(
            path, map_location='cpu', weights_only=True, mmap=mmap and is_zip
        )
    except OSError as error:
        raise CheckpointError(
            f'the checkpoint {path} cannot be opened ({error.strerror}): '
            'correct the path'
        ) from error
    # a hostile pickle can raise nearly anything
    except Exception as error:
        reason = _reason(error)
        asked = re.search(r'GLOBAL (\S+)', reason)
        reason = f'asks for {asked[1]}' if asked else reason
        # torch raises its own error out of ours
        if asked or UnsafePickle in (type(error), type(error.__context__)):
            raise CheckpointError(
                f'{begin}: it {reason}, which no weights need and which may '
                'run code, so it was not loaded; take a file that mmengine or '
                'torch.save(model.state_dict()) wrote'
            ) from error
        raise CheckpointError(
            f'{begin} ({type(error).__name__}: {reason}): it may be cut short '
            'or no checkpoint at all, so copy or download it again'
        ) from error


def _require_plain(path: Path, is_zip: bool) -> None:
    """Refuse what torch takes and no file of weights holds.

    An archive that unpacks to more than there is of it: torch stores its
    entries as they are. Long names: torch's message about one takes the
    square of its length, hours for a million characters. ``bytearray``,
    which makes as many bytes as it is told.
    """
    with path.open('rb') as file:
        size = path.stat().st_size
        if is_zip:
            archive = zipfile.ZipFile(file)
            entries = archive.infolist()
            total = sum(entry.file_size for entry in entries)
            if total > size or len(entries) > _MAX_ENTRIES:
                raise UnsafePickle(
                    f'unpacks to {total} bytes from a file of {size}'
                )
            names = [n for n in archive.namelist() if n.endswith('/data.pkl')]
            pickles = [io.BytesIO(archive.read(name)) for name in names[:1]]
        elif size:  # the old format begins with five pickles
            # a map has room for no more than there is, whatever is asked for
            access = memory_map.ACCESS_READ
            pickles = [memory_map.mmap(file.fileno(), 0, access=access)] * 5
        else:
            return
        # torch says where a damaged one ends
        with contextlib.suppress(ValueError, IndexError, struct.error):
            for data in pickles:
                for code, name, _ in pickletools.genops(data):
                    if code.name != 'GLOBAL':
                        continue
                    is_long = len(name) > _LONGEST_NAME
                    if is_long or name.endswith(' bytearray'):
                        raise UnsafePickle(f'asks for {name[:60]}')


def _reason(error: Exception) -> str:
    """What was wrong, out of torch's page of advice; one line."""
    lines = [s.strip() for s in str(error).splitlines() if s.strip()]
    for i, line in enumerate(lines):
        if line.startswith('Trying to load unsupported GLOBAL'):
            return line
        if 'WeightsUnpickler error:' in line:
            rest = line.split('WeightsUnpickler error:', 1)[1].strip()
            return rest or ''.join(lines[i + 1 : i + 2])
    return lines[0].split('. ', 1)[0][:200] if lines else 'no reason given'
