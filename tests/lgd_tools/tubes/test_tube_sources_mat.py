"""The reader of MATLAB arrays: SciPy's, with bounds."""

import io
import os
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import savemat

from lgd_tools.tubes import mat_arrays
from lgd_tools.tubes.mat_arrays import read_mat_array

KINDS = st.sampled_from(
    [bool, 'u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8', 'f4', 'f8']
)
SHAPES = hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=4)


def mat(compressed: bool = False, **arrays: object) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, arrays, do_compression=compressed)
    return buffer.getvalue()


@given(hnp.arrays(KINDS, SHAPES), st.booleans())
@settings(max_examples=150, deadline=None)
def test_arrays_of_all_kinds(array, compressed):
    cell = np.array(['x', 1], object)
    data = mat(compressed, first=cell, part_mask=array, z={'a': 1})
    got = read_mat_array(data, 'part_mask', 10**6)
    assert np.array_equal(
        got,
        array,
        equal_nan=array.dtype.kind == 'f',
    )
    assert got.shape == array.shape
    assert read_mat_array(data, 'part', 10**6) is None


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damage_is_an_error(data):
    """SciPy 1.17 crashes the interpreter on some of these."""
    mask = np.eye(6, dtype=np.uint8)[:, :, None] * np.ones(3, np.uint8)
    raw = bytearray(mat(data.draw(st.booleans()), part_mask=mask))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        got = read_mat_array(bytes(raw), 'part_mask', 10**6)
    except ValueError as error:
        assert str(error)
    else:
        assert got is None or got.nbytes <= 10**6


def test_big_endian():
    # written by hand: the header, one 1x2 array of int16 named x
    words = np.array([14, 48, 6, 8, 10, 0, 5, 8, 1, 2], '>u4').tobytes()
    words += np.array([0x00010001], '>u4').tobytes() + b'x\0\0\0'
    words += np.array([0x00040003], '>u4').tobytes()
    words += np.array([-2, 300], '>i2').tobytes()
    data = b'MATLAB 5.0'.ljust(124) + b'\x01\x00MI' + words
    assert read_mat_array(data, 'x', 100).tolist() == [[-2, 300]]


def test_limits_and_versions():
    data = mat(True, part_mask=np.zeros((100, 100, 9), np.uint8))
    assert len(data) < 1000
    assert read_mat_array(data, 'part_mask', 10**5).shape == (100, 100, 9)
    with pytest.raises(ValueError, match='more than 1000 bytes unpacked'):
        read_mat_array(data, 'part_mask', 1000)
    newer = data[:124] + b'\x00\x02IM' + data[128:]
    with pytest.raises(ValueError, match='save it with -v7'):
        read_mat_array(newer, 'part_mask', 10**5)
    with pytest.raises(ValueError, match='could not read'):
        read_mat_array(mat(part_mask=np.zeros((9, 9)))[:-8], 'part_mask', 99)


def test_a_crash_costs_the_child_alone():
    data = mat(part_mask=np.eye(3))
    child = mat_arrays._child()
    with pytest.raises(BrokenProcessPool):
        child.submit(os.abort).result()
    with pytest.raises(ValueError, match='SciPy crashes on it'):
        read_mat_array(data, 'part_mask', 100)
    assert read_mat_array(data, 'part_mask', 100).tolist() == [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]
