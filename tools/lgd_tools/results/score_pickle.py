"""Unpickling score files that may come from anywhere.

Only tensors, arrays of numbers and plain Python values are made; nothing in
the file runs, and memory stays in proportion to its size.
"""

import io
from collections import OrderedDict
from pathlib import Path
from typing import Any

from lgd_tools import cli  # noqa: F401  (puts tools/data on the path)
from lgd_tools.numpy_pickle import NumpyUnpickler, UnsafePickle


def load_plain(path: Path) -> Any:
    """What a pickle of tensors, arrays and plain values holds.

    Raises:
        UnsafePickle: It names anything else; nothing of it was called.
        Exception: Nearly any, where the file is damaged.
    """
    return _ScoreUnpickler(path.read_bytes()).load()


class _ScoreUnpickler(NumpyUnpickler):
    """Knows tensors beside what :mod:`numpy_pickle` knows."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return _rebuild_tensor
        if (module, name) == ('torch.storage', '_load_from_bytes'):
            return _load_storage
        if (module, name) == ('collections', 'OrderedDict'):
            return _ordered_dict
        return super().find_class(module, name)


def _ordered_dict() -> OrderedDict:
    # filled later, when its keys are looked at
    return OrderedDict()


def _rebuild_tensor(
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


def _load_storage(data: bytes) -> Any:
    # torch's own function of this name switches weights_only off
    import torch

    # storages are pickled in the old format; a zip could unfold to anything
    if data[:2] == b'PK':
        raise UnsafePickle('holds a storage in an odd format')
    return torch.load(io.BytesIO(data), weights_only=True)
