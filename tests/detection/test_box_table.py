"""Tables of boxes: read without pickles, checked field by field."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.errors import DataError


def table(**changes: np.ndarray) -> BoxTable:
    fields = dict(
        videos=np.array(['a/x', 'a/y']),
        video=np.array([0, 1, 1], np.int32),
        frame=np.array([3, 0, 0], np.int32),
        boxes=np.arange(12, dtype=np.float32).reshape(3, 4) / 12,
        score=np.array([1, 0.5, 0.25], np.float32),
        scores=np.ones((3, 2), np.float32) / 2,
        frames_video=np.array([0, 1], np.int32),
        frames_frame=np.array([3, 0], np.int32),
    )
    return BoxTable(**{**fields, **changes})


@pytest.mark.parametrize('kind', ['proposals', 'detections'])
def test_reads_what_it_writes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / 'new' / 'boxes.npz'
    table().save(path)
    again = BoxTable.load(path, kind)
    assert len(again) == 3
    for name, value in vars(table()).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    assert [p.name for p in path.parent.iterdir()] == ['boxes.npz']


def test_the_other_kind(tmp_path: Path) -> None:
    path = tmp_path / 'boxes.npz'
    table(scores=None).save(path)
    assert BoxTable.load(path, 'proposals').scores is None
    with pytest.raises(DataError, match='no file of detections: scores miss'):
        BoxTable.load(path, 'detections')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(boxes=np.zeros((3, 5), np.float32)), r'boxes has shape \(3, 5'),
        (dict(boxes=np.zeros((3, 4), np.int32)), 'boxes does not hold floats'),
        (dict(video=np.zeros(2, np.int32)), r'video has shape \(2,\)'),
        (dict(video=np.array([0, 1, 2])), 'video points outside'),
        (dict(video=np.array([0, 1, -1])), 'video points outside'),
        (dict(frame=np.zeros(3)), 'frame does not hold integers'),
        (dict(score=np.zeros(4, np.float32)), r'score has shape \(4,\)'),
        (dict(scores=np.zeros(3, np.float32)), r'scores has shape \(3,\)'),
        (dict(frames_video=np.array([2, 0])), 'frames_video points outside'),
        (dict(frames_frame=np.array([2])), 'frames_video and frames_frame'),
        (dict(frames_frame=None), 'frames_video and frames_frame'),
        (dict(videos=np.array([1, 2])), 'videos does not hold names'),
        (dict(videos=np.array(['a/x', '../y'])), "name '../y' leads out of"),
        (dict(videos=np.array(['/a/x', 'a/y'])), "name '/a/x' leads out of"),
        (dict(videos=np.array(['a/x', 'a\0b'])), 'leads out of its folder'),
        (
            dict(videos=np.array([97, 2**31], np.uint32).view('U1')),
            'videos does not hold Unicode text',
        ),
        (
            dict(videos=np.array([97] * 3 + [2**31], '>u4').view('>U2')),
            'videos does not hold Unicode text',
        ),
    ],
)
def test_fields_that_do_not_fit(
    tmp_path: Path, changes: dict, message: str
) -> None:
    path = tmp_path / 'boxes.npz'
    table(**changes).save(path)
    with pytest.raises(DataError, match=message):
        BoxTable.load(path, 'detections')


def test_files_that_are_something_else(tmp_path: Path) -> None:
    path = tmp_path / 'boxes.npz'
    with pytest.raises(DataError, match='does not exist'):
        BoxTable.load(path, 'detections')
    table().save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match='cannot be read'):
        BoxTable.load(path, 'detections')
    path.write_bytes(pickle.dumps(vars(table())))
    with pytest.raises(DataError, match='cannot be read'):
        BoxTable.load(path, 'detections')
    # an array of objects is a pickle inside the archive
    np.savez(path, videos=np.array([{}], object))
    with pytest.raises(DataError, match='cannot be read'):
        BoxTable.load(path, 'detections')


def test_empty_names_take_no_memory(tmp_path: Path) -> None:
    """10**9 of them need no byte in the file, but 8 GB as a list."""
    path = tmp_path / 'boxes.npz'
    table(videos=None).save(path)
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {'descr': '<U0', 'fortran_order': False, 'shape': (10**9,)}
    )
    with zipfile.ZipFile(path, 'a') as archive:
        archive.writestr('videos.npy', member.getvalue())
    with pytest.raises(DataError, match="video name '' leads"):
        BoxTable.load(path, 'detections')
