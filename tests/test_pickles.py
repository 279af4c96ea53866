"""The unpickler of annotation files: what it reads, what it never runs."""

import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lgd_mmaction.errors import DataError
from lgd_mmaction.pickles import load_values

# as Python 2 with an old NumPy writes np.array([[177, 255]], np.uint8)
PYTHON2 = (
    b'cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n'
    b"(I0\ntp2\nS'b'\np3\ntp4\nRp5\n(I1\n(I1\nI2\ntp6\ncnumpy\ndtype\np7\n"
    b"(S'u1'\np8\nI0\nI1\ntp9\nRp10\n(I3\nS'|'\np11\nNNNI-1\nI-1\nI0\n"
    b"tp12\nbI00\nS'\\xb1\\xff'\np13\ntp14\nb."
)


def load(tmp_path: Path, data: bytes) -> object:
    path = tmp_path / 'a.pkl'
    path.write_bytes(data)
    return load_values(path, 'annotation pickle')


@pytest.mark.parametrize('protocol', range(6))
def test_values_and_arrays(tmp_path, protocol):
    values = {
        'plain': [1, 2.5, None, True, (1,), 'é', {'a': -(10**20)}],
        'bytes': b'\xff\x00' if protocol else 'x',
        'empty bytes': b'',
        'c': np.arange(6, dtype=np.float32).reshape(2, 3),
        'fortran': np.asfortranarray(np.arange(6).reshape(2, 3)),
        'empty': np.zeros((0, 5)),
        'single': np.array(5, np.uint16),
        'text': np.array(['a', 'bcd']),
        'uint8': np.uint8(200),
        'float': np.float64(0.1),
        'string': np.str_('x'),
        'empty string': np.str_(''),
        'bool': np.array([True, False]),
        'big-endian': np.arange(300, 303, dtype='>i2'),
    }
    got = load(tmp_path, pickle.dumps(values, protocol))
    assert got.keys() == values.keys()
    for key, value in values.items():
        if not isinstance(value, (np.ndarray, np.generic)):
            assert got[key] == value and type(got[key]) is type(value)
            continue
        assert (
            np.array_equal(got[key], value) and got[key].shape == value.shape
        )
        # below protocol 5 NumPy too makes the byte order native
        assert got[key].dtype.newbyteorder('=') == value.dtype.newbyteorder(
            '='
        )


def test_keys(tmp_path):
    keys = 'a', b'b', 2, 2.5, True, None, np.uint8(3), np.str_('c')
    for protocol in range(6):
        got = load(tmp_path, pickle.dumps(dict.fromkeys(keys, 0), protocol))
        assert got == dict.fromkeys(keys, 0)
    assert load(tmp_path, b"(S'a'\nI1\nI2\nI3\nd.") == {'a': 1, 2: 3}


def test_python_2(tmp_path):
    got = load(tmp_path, PYTHON2)
    assert got.dtype == np.uint8 and got.tolist() == [[177, 255]]
    # and the trap of that file: x + w in uint8
    assert (got[:, 0] + got[:, 1]).tolist() == [176]


def test_real_file_equals_the_stock_unpickler(shared_data):
    path = shared_data / 'annotations' / 'ucf101_24' / 'pyannot.pkl'
    got = load_values(path, 'annotation pickle')
    with path.open('rb') as file:
        expected = pickle.load(file, encoding='latin1')
    assert len(got) == 3194 and got.keys() == expected.keys()
    for name, video in expected.items():
        mine = got[name]
        assert mine['numf'] == video['numf']
        assert type(mine['numf']) is type(video['numf'])
        pairs = zip(mine['annotations'], video['annotations'], strict=True)
        for a, b in pairs:
            assert a['boxes'].dtype == b['boxes'].dtype
            assert np.array_equal(a['boxes'], b['boxes'])
            assert (a['sf'], a['ef'], a['label']) == (
                b['sf'],
                b['ef'],
                b['label'],
            )


class _Payload:
    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call[0], self.call[1:]


def _global(module: str, name: str, rest: bytes) -> bytes:
    return b'c%s\n%s\n%s' % (module.encode(), name.encode(), rest)


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
@pytest.mark.parametrize(
    'call',
    [
        (os.system, 'touch {mark}'),
        (os.mkdir, '{mark}'),
        (eval, "__import__('os').mkdir('{mark}')"),
        (getattr, 'x', 'upper'),
        (np.save, '{mark}', 1),
        (np.fromfile, '{mark}'),
        (Path, '{mark}'),
    ],
    ids=lambda call: call[0].__name__,
)
def test_a_payload_does_not_run(tmp_path, call, protocol):
    mark = tmp_path / 'mark'
    words = [
        w.format(mark=mark) if isinstance(w, str) else w for w in call[1:]
    ]
    data = {'annotations': [_Payload(call[0], *words)]}
    with pytest.raises(DataError) as error:
        load(tmp_path, pickle.dumps(data, protocol))
    assert not mark.exists() and not mark.with_suffix('.npy').exists()
    assert 'nothing of it was run' in str(error.value)
    assert call[0].__name__.split('.')[0] in str(error.value)


def _state(dtype: bytes, data: bytes) -> bytes:
    """An array (1,) of a dtype whose state is given, with these bytes."""
    return (
        b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt'
        b"S'b'\ntR(I1\n(I1\nt" + dtype + b'I00\n' + data + b'tb.'
    )


UINT8 = b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
# a tuple within a tuple, 200,000 times
DEEP = b')' + b'\x85' * 200_000


def _empty(code: bytes, shape: bytes) -> bytes:
    """An array of a shape without a byte."""
    dtype = UINT8.replace(b"'u1'", b"'%s'" % code).replace(b'|', b'<')
    return _state(dtype, b"S''\n").replace(b'(I1\nt', b'(%st' % shape)


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        # bytes that would become pointers
        (
            _state(
                b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\n"
                b'I0\ntb',
                b"S'AAAAAAAA'\n",
            ),
            "dtype 'O8'",
        ),
        (
            pickle.dumps(np.array([{}], object), 2),
            'neither numbers nor text',
        ),
        (pickle.dumps(np.zeros(2, 'i4,f4'), 2), "dtype 'V8'"),
        (pickle.dumps(np.zeros(2, 'M8[s]'), 2), "dtype 'M8'"),
        # a dtype with fields, a subtype or an odd order
        (
            _state(UINT8.replace(b'NNNI-1', b"N(S'a'\ntNI-1"), b"S'A'\n"),
            'dtype in an odd way',
        ),
        (_state(UINT8.replace(b"'|'", b"'?'"), b"S'A'\n"), 'odd way'),
        # too few bytes, too many, none of them, not bytes
        (_state(UINT8, b"S''\n"), r'\(1,\) and uint8 with 0 bytes, not 1'),
        (_state(UINT8, b"S'AB'\n"), 'with 2 bytes, not 1'),
        (_state(UINT8, b'I7\n'), 'not made of bytes'),
        (_state(b'I7\n', b"S'A'\n"), 'without a dtype'),
        (_state(UINT8, b"S'A'\n").replace(b'(I1\nt', b'(I-1\nt'), 'shape'),
        # an array around somebody else's buffer
        (
            b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\nt'
            b"S'b'\ntR.",
            'makes an array of',
        ),
        (_global('_codecs', 'encode', b"(S'a'\nS'rot13'\ntR."), 'encoding'),
        (_global('numpy', 'load', b"(S'a'\ntR."), 'names numpy.load'),
        (
            b'\x80\x04\x8c\x08builtins\x8c\x04eval\x93.',
            'names builtins.eval',
        ),
        (b'\x80\x02K\x07Q.', 'outside itself'),
        # no byte each, but gigabytes as lists
        (_empty(b'S0', b'I1000000000\n'), r'\|S0 without a byte'),
        (_empty(b'U0', b'I100000\nI100000\n'), 'U0 without a byte'),
        (_empty(b'u1', b'I1000000000\nI0\n'), 'uint8 without a byte'),
        (_empty(b'u1', b'I0\nI1000000000\n'), 'uint8 without a byte'),
        # a tuple for a key, in each way that a dict is filled
        (b'}(K\x01\x85K\x02u.', 'has a tuple for the key of a dict'),
        (b'}K\x01\x85K\x02s.', 'has a tuple for the key'),
        (b'(K\x01K\x02K\x03\x85K\x04d.', 'has a tuple for the key'),
        (b'\x80\x02}(X\x01\0\0\0aK\x02)K\x04u.', 'has a tuple for the'),
        # deep enough to end the process where it is hashed
        (b'}(' + DEEP + b'K\x02u.', 'has a tuple for the key'),
        (pickle.dumps({1}, 4), 'holds a set'),
        (pickle.dumps(frozenset({1}), 4), 'holds a set'),
        (b'\x80\x04](K\x01\x90.', 'holds a set'),
        (
            _state(UINT8.replace(b"'u1'", b"'U1'"), b"S'\0\0\0\x80'\n"),
            'no Unicode text',
        ),
    ],
)
def test_odd_arrays_are_refused(tmp_path, data, message):
    with pytest.raises(DataError, match=message) as error:
        load(tmp_path, data)
    assert 'nothing of it was run' in str(error.value)


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'not a pickle',
        PYTHON2[:-20],
        b'\x80\x7f.',
        # more bytes than the file has
        b'\x80\x05\x96' + struct.pack('<Q', 2**36) + b'a.',
        b'\x80\x04\x8e' + struct.pack('<Q', 2**36) + b'a.',
        b'(' * 10,
        # an extension that nobody registered
        b'\x80\x02\x82\x07.',
    ],
)
def test_damaged_files(tmp_path, data):
    with pytest.raises(DataError, match='is damaged or no pickle'):
        load(tmp_path, data)


def test_a_far_memo_entry_takes_no_memory(tmp_path):
    assert load(tmp_path, b'Nr' + struct.pack('<I', 2**32 - 1) + b'.') is None


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r'annotation pickle .* not exist'):
        load_values(tmp_path / 'none.pkl', 'annotation pickle')
    with pytest.raises(DataError, match='is not a file'):
        load_values(tmp_path, 'annotation pickle')


@given(st.data())
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_fuzz(tmp_path, data):
    """A changed byte anywhere: a value or one clear error."""
    content = {'v': [np.arange(4, dtype=np.uint8), np.uint16(3), 'a', 2]}
    raw = bytearray(pickle.dumps(content, data.draw(st.integers(0, 5))))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    try:
        load(tmp_path, bytes(raw))
    except DataError as error:
        assert 'a.pkl' in str(error)
