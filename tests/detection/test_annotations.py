"""The annotation file: what is written is read, what is wrong is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lgd_mmaction.detection.annotations import (
    Tube,
    TubeAnnotations,
    TubeVideo,
    check_name,
    load_tubes,
    save_tubes,
)
from lgd_mmaction.errors import DataError


def annotations() -> TubeAnnotations:
    boxes = np.array([[0, 1, 10.5, 20], [1, 2, 11.25, 320 / 3]], np.float32)
    videos = {
        'a/x': TubeVideo('a/x', 5, 320, 240, (Tube(1, 3, boxes),)),
        'a/empty': TubeVideo('a/empty', 1, 320, 240, ()),
    }
    splits = {'1': {'train': ['a/empty'], 'test': ['a/x']}}
    return TubeAnnotations('small', ('a', 'b'), splits, videos)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    out = tmp_path / 'folder' / 'tubes.json'
    save_tubes(annotations(), out)
    return out


def test_reads_what_it_writes(path: Path) -> None:
    again, first = load_tubes(path), annotations()
    assert (again.dataset, again.classes) == (first.dataset, first.classes)
    assert again.splits == first.splits
    assert again.videos['a/empty'] == first.videos['a/empty']
    tube = again.videos['a/x'].tubes[0]
    assert (tube.label, tube.start, tube.stop) == (1, 3, 5)
    # a thousandth of a pixel
    expected = [[0, 1, 10.5, 20], [1, 2, 11.25, 106.667]]
    np.testing.assert_array_equal(tube.boxes, np.float32(expected))
    assert [v.name for v in again.subset(1, 'test')] == ['a/x']
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(DataError, match='no split 1/val; .*: 1/train, 1/te'):
        again.subset('1', 'val')


@pytest.mark.parametrize(
    ('where', 'value', 'message'),
    [
        (('label',), 2, r'tube 0 of a/x has label 2, outside 0\.\.1'),
        (('label',), -1, 'label -1'),
        (('label',), 1.0, '1.0 where an integer belongs'),
        (('label',), True, 'True where an integer belongs'),
        (('start',), 4, r'covers frames 4\.\.5 of a video of 5'),
        (('start',), -1, r'covers frames -1\.\.0'),
        (('boxes',), [], 'has no box'),
        (('boxes', 0), [5, 1, 5, 20], 'not x1 < x2, y1 < y2, .* frame 3'),
        (('boxes', 1), [9, 1, 5, 20], '1 boxes that are not .* frame 4'),
        (('boxes', 0), [float('nan'), 1, 5, 20], '1 boxes that are not'),
        (('boxes', 0), [-1, 1, 5, 20], 'leaves the frame of 320x240'),
        (('boxes', 0), [0, 1, 5, 241], 'leaves the frame'),
        (('boxes', 0), [0, 1, 5], 'damaged|not 4 numbers'),
    ],
)
def test_tubes_that_cannot_be(
    path: Path, where: tuple, value: Any, message: str
) -> None:
    content = json.loads(path.read_text())
    place = content['videos']['a/x']['tubes'][0]
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message) as error:
        load_tubes(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize('name', ['a', 'a/b', 'a/b c/..d', '.a/é', 'a\\b'])
def test_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    'name',
    ['', '/', '/a/x', '..', '../a/x', 'a/../../x', 'a/..', './x', 'a//x']
    + ['a/', 'a/./x', 'a\0/x'],
)
def test_names_that_lead_elsewhere(path: Path, name: str) -> None:
    """They become paths below the folders of the tools."""
    with pytest.raises(DataError, match='leads out of its folder'):
        check_name(name)
    content = json.loads(path.read_text())
    content['videos'][name] = content['videos']['a/x']
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r'tubes\.json: video name .* leads'):
        load_tubes(path)


def test_numbers_that_would_fill_the_memory(path: Path) -> None:
    content = json.loads(path.read_text())
    largest = {'num_frames': 10**6, 'width': 10**5, 'height': 10**5}
    video = content['videos']['a/x']
    video |= largest
    path.write_text(json.dumps(content))
    assert load_tubes(path).videos['a/x'].num_frames == 10**6
    for key, value in largest.items():
        for wrong in (value + 1, 10**30):
            content['videos']['a/x'] = {**video, key: wrong}
            path.write_text(json.dumps(content))
            with pytest.raises(DataError, match='at most 1000000 frames'):
                load_tubes(path)


def test_files_that_are_something_else(path: Path, tmp_path: Path) -> None:
    content = json.loads(path.read_text())

    def rewritten(**changes: Any) -> Path:
        path.write_text(json.dumps({**content, **changes}))
        return path

    with pytest.raises(DataError, match='does not exist; convert'):
        load_tubes(tmp_path / 'gone.json')
    with pytest.raises(DataError, match='version 2, this release reads'):
        load_tubes(rewritten(version=2))
    with pytest.raises(DataError, match='not an annotation file of tubes'):
        load_tubes(rewritten(format='COCO'))
    with pytest.raises(DataError, match='1 videos without annotation, .* a/q'):
        load_tubes(rewritten(splits={'1': {'test': ['a/q']}}))
    videos = {'a/x': {**content['videos']['a/x'], 'width': 0}}
    splits = {'1': {'test': ['a/x']}}
    with pytest.raises(DataError, match='5 frames of 0x240'):
        load_tubes(rewritten(videos=videos, splits=splits))
    with pytest.raises(DataError, match='damaged'):
        load_tubes(rewritten(videos={'a/x': {}}))
    path.write_text('{"format"')
    with pytest.raises(DataError, match='cannot be read as JSON'):
        load_tubes(path)
    path.write_bytes(b'\x80\x02')
    with pytest.raises(DataError, match='cannot be read as JSON'):
        load_tubes(path)
