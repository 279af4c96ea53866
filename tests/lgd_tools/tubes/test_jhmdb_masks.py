"""J-HMDB's puppet masks: their boxes, and files that are damaged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import savemat

from lgd_mmaction.detection.annotations import load_tubes
from lgd_mmaction.errors import LGDError
from lgd_tools.tubes import jhmdb
from tests.lgd_tools.tubes.jhmdb_files import (
    BRUSH,
    HEIGHT,
    WIDTH,
    convert,
    edges,
    truth,
    write_masks,
    write_splits,
)


@given(hnp.arrays(bool, st.tuples(*[st.integers(1, 7)] * 3)))
@settings(max_examples=200, deadline=None)
def test_mask_boxes(mask):
    """The box of a mask holds it, and nothing smaller does."""
    frames, boxes = jhmdb.mask_boxes(mask)
    assert frames.tolist() == [
        f for f in range(mask.shape[2]) if mask[:, :, f].any()
    ]
    for frame, box in zip(frames, boxes.astype(int), strict=True):
        rows, columns = np.nonzero(mask[:, :, frame])
        assert box.tolist() == [
            columns.min(),
            rows.min(),
            columns.max() + 1,
            rows.max() + 1,
        ]


@pytest.mark.parametrize('kind', [bool, 'u1', 'i2', 'u8', 'f4', 'f8'])
@pytest.mark.parametrize('frames', [1, 3])
def test_mask_files_of_all_kinds(tmp_path, kind, frames):
    mask = np.zeros((5, 7, frames), kind)
    mask[1:3, 4:6] = 1
    path = tmp_path / 'a' / 'b' / 'puppet_mask.mat'
    path.parent.mkdir(parents=True)
    # MATLAB stores a single frame as a matrix
    savemat(path, {'part_mask': mask[..., 0] if frames == 1 else mask, 'x': 1})
    got = jhmdb.read_mask(str(tmp_path), 'a/b/puppet_mask.mat')
    assert got['shape'] == mask.shape
    assert got['frames'].tolist() == list(range(frames))
    assert got['boxes'].tolist() == [[4, 1, 6, 3]] * frames


@pytest.fixture
def masks(tmp_path):
    """The folder of the masks, and the arguments that read it."""
    splits = write_splits(tmp_path / 'splits')
    folder = write_masks(tmp_path / 'puppet_mask', truth())
    return folder, ('--annotations', splits, '--puppet-masks', folder)


@pytest.mark.slow
def test_a_person_who_leaves_and_a_mask_of_no_split(tmp_path, masks):
    folder, argv = masks
    path = folder / BRUSH / 'puppet_mask.mat'
    mask = np.zeros((HEIGHT, WIDTH, 4), bool)
    mask[3:7, 2:4, :3] = True
    savemat(path, {'part_mask': mask})
    extra = folder / 'catch' / 'nobody' / 'puppet_mask.mat'
    extra.parent.mkdir()
    extra.write_bytes(b'')
    assert convert(tmp_path / 'o', *argv) == 0
    assert edges(tmp_path) == [(0, [[2, 3, 4, 7]] * 3)]
    got = load_tubes(tmp_path / 'o' / 'jhmdb_tubes.json')
    assert got.videos[BRUSH].num_frames == 4
    mask[:, :, 1] = False
    savemat(path, {'part_mask': mask})
    assert convert(tmp_path / 'o', *argv) == 1
    assert [start for start, _ in edges(tmp_path)] == [0, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'x': 1}, "KeyError: 'part_mask'"),
        ({'part_mask': np.zeros((2, 2, 2, 2))}, 'ValueError: too many'),
        (b'MATLAB 7.3 MAT-file' + bytes(200), 'cannot be read'),
        (b'x' * 300, 'cannot be read'),
    ],
)
def test_bad_masks(tmp_path, masks, content, message):
    folder, argv = masks
    path = folder / BRUSH / 'puppet_mask.mat'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        savemat(path, content)
    with pytest.raises(LGDError, match=message) as error:
        convert(tmp_path / 'o', *argv)
    assert BRUSH in str(error.value)


@pytest.mark.slow
def test_damage_never_ends_the_run(tmp_path):
    """SciPy 1.17 crashes the interpreter on some of these."""
    rng = np.random.default_rng(0)
    savemat(tmp_path / 'whole.mat', {'part_mask': np.ones((6, 6, 3), 'u1')})
    whole, names = (tmp_path / 'whole.mat').read_bytes(), set()
    for number in range(100):
        raw = bytearray(whole)
        for at in rng.integers(0, len(raw), rng.integers(1, 5)):
            raw[at] = rng.integers(0, 256)
        path = tmp_path / 'masks' / 'a' / str(number) / 'puppet_mask.mat'
        path.parent.mkdir(parents=True)
        path.write_bytes(raw[: rng.integers(len(raw) // 2, 2 * len(raw))])
        names.add(f'a/{number}')
    with pytest.raises(LGDError, match=r'the mask of a/\d+ cannot be read'):
        jhmdb.read_masks(tmp_path / 'masks', ['a'], names, 2)


@pytest.mark.slow
def test_no_coordinates_for_masks(tmp_path, masks):
    """A mask says where its pixels are."""
    _, argv = masks
    assert convert(tmp_path / 'o', *argv, '--coordinates', 'pixels1') == 0
    assert edges(tmp_path) == [(0, truth()[BRUSH].tolist())]
