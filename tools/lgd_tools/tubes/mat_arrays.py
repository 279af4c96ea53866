"""Read one numeric array out of a MATLAB file with SciPy, in a child process.

SciPy's reader crashes the interpreter on some damaged files; a download that
broke off must be an error that names the file. Crashes, hours and gigabytes
end the child alone.
"""

import functools
import io
import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

SECONDS = 60  # of processor time for one array


def read_mat_array(data: bytes, name: str, limit: int) -> np.ndarray | None:
    """A variable of a MATLAB file, None where it does not hold it.

    Args:
        data: The file, of a version before 7.3.
        name: The variable's name.
        limit: Most bytes that the variable may have.

    Raises:
        ValueError: The file is damaged or of another version, or the
            variable is not a real numeric array.
    """
    try:
        return _child().submit(_load, data, name, limit).result()
    except BrokenProcessPool:
        _child.cache_clear()
        raise ValueError('SciPy crashes on it, or does not end') from None


@functools.cache
def _child() -> ProcessPoolExecutor:
    # not a fork of this process, whose threads may hold locks
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__name__, 'scipy.io'])
    return ProcessPoolExecutor(1, mp_context=context)


def _load(data: bytes, name: str, limit: int) -> np.ndarray | None:
    from scipy.io import loadmat

    spent = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(spent.ru_utime + spent.ru_stime) + SECONDS
    _set_limit(resource.RLIMIT_CPU, seconds)
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    room = 2**28 + 3 * limit
    _set_limit(resource.RLIMIT_AS, pages * resource.getpagesize() + room)
    try:
        array = loadmat(io.BytesIO(data), variable_names=[name]).get(name)
    except NotImplementedError:
        raise ValueError(
            'MATLAB 7.3 or a newer version: save it with -v7'
        ) from None
    # a damaged file can raise nearly anything
    except Exception as error:
        text = ' '.join(str(error).split())[:200]
        raise ValueError(text or type(error).__name__) from None
    if array is None:
        return None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in 'biuf':
        raise ValueError(f'{name} is not an array of real numbers')
    if array.nbytes > limit:
        raise ValueError(f'{name} has more than {limit} bytes unpacked')
    return array


def _set_limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(kind, (most, hard))
