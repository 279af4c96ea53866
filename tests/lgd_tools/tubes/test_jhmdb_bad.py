"""J-HMDB annotations that are wrong: clipped, dropped, refused."""

import os

import numpy as np
import pytest

from lgd_mmaction.detection.annotations import load_tubes
from lgd_mmaction.errors import LGDError
from lgd_tools.tubes import jhmdb
from tests.lgd_tools.tubes.jhmdb_files import (
    BRUSH,
    CLASSES,
    CLIMB,
    WIDTH,
    act_content,
    convert,
    edges,
    truth,
    write_act,
    zipped,
)


# ---------------------------------------------------------------- bad boxes
def test_boxes_are_clipped_and_dropped_with_a_count(tmp_path, source, capsys):
    boxes = {name: b.astype(float) for name, b in truth().items()}
    boxes[BRUSH][0] = -3, 2, 12.5, 31
    boxes[BRUSH][1] = 1, 2, 3, 4
    boxes[BRUSH][2] = 5, 5, 5, 9  # no width
    boxes[BRUSH][3] = WIDTH, 5, WIDTH + 4, 9  # beside the picture
    last = 'catch/b_1'
    boxes[last][0] = np.nan, 1, 2, 3
    boxes[last][5] = 9, 9, 3, 3  # corners the wrong way round
    argv = source(boxes)
    assert convert(tmp_path / 'o', *argv) == 1
    assert edges(tmp_path) == [(0, [[0, 2, 12.5, 30], [1, 2, 3, 4]])]
    [(start, kept)] = edges(tmp_path, last)
    assert start == 1 and kept == boxes[last][1:5].tolist()
    out = capsys.readouterr().out
    for line in (
        'boxes dropped: NaN or infinity: 1, first tube 0 of catch/b_1',
        'boxes dropped: no area: 2, first',
        'boxes dropped: outside the picture: 1, first',
        'boxes clipped to the picture: 1, first tube 0',
    ):
        assert line in out
    assert ', -3 2 12.5 31\n' in out


def test_a_gap_splits(tmp_path, source, capsys):
    argv = source()
    name = 'catch/b_1'
    (argv[3] / 'catch_b_1_00003.txt').unlink()
    (argv[3] / 'catch_b_1_00004.txt').unlink()
    assert convert(tmp_path / 'o', *argv) == 1
    boxes = truth()[name]
    assert edges(tmp_path, name) == [
        (0, boxes[:2].tolist()),
        (4, boxes[4:].tolist()),
    ]
    assert (
        'gaps, at which tubes are split: 1, first tube 0 of catch/b_1, before '
        'frame 4' in capsys.readouterr().out
    )


def test_a_gap_by_a_dropped_box(tmp_path, source):
    boxes = {name: b.astype(float) for name, b in truth().items()}
    boxes[BRUSH][1] = np.inf
    assert convert(tmp_path / 'o', *source(boxes)) == 1
    assert [start for start, _ in edges(tmp_path)] == [0, 2]


def test_videos_without_boxes(tmp_path, source, capsys):
    boxes = truth()
    del boxes[CLIMB]  # in both training lists
    assert convert(tmp_path / 'o', *source(boxes)) == 1
    out = capsys.readouterr().out
    assert f'split 2 left out: no box: 1, first {CLIMB}' in out
    got = load_tubes(tmp_path / 'o' / 'jhmdb_tubes.json')
    assert CLIMB not in got.videos
    assert [len(got.splits[s]['train']) for s in '12'] == [2, 2]
    assert [len(got.splits[s]['test']) for s in '12'] == [3, 3]


def test_a_test_video_whose_boxes_are_all_bad(tmp_path, source):
    boxes = {name: b.astype(float) for name, b in truth().items()}
    boxes[BRUSH][:] = np.nan
    argv = source(boxes)
    with pytest.raises(LGDError, match=f'1 of 3 test .* 1 .* first {BRUSH}'):
        convert(tmp_path / 'o', *argv)
    # in split 2 it is for training
    assert convert(tmp_path / 'o', *argv, '--splits', 2) == 1


# --------------------------------------------------------------- bad sources
def test_bad_box_files(tmp_path, source):
    argv = source()
    path = argv[3] / 'brush_hair_a_b_0_00001.txt'
    for text, message in (
        ('1 2 3 4', 'not enough values'),
        ('1 2 3 4 5\n1 2 3 4 5', 'too many values'),
        ('', 'not enough values'),
        ('x 2 3 4 5', 'could not convert'),
        ('2 2 3 4 5', 'class 2 is not that of the name'),
        ('4 2 3 4 5', 'index out of range'),
        ('1\0 2 3 4 5', 'could not convert'),
    ):
        path.write_text(text)
        with pytest.raises(LGDError, match=message) as error:
            convert(tmp_path / 'o', *argv)
        assert path.name in str(error.value)
    path.write_text('1 2 3 4 5')
    for name in (
        'brush_hair_nobody_0_00001.txt',
        'brush_hair_a_b_0_0000x.txt',
    ):
        other = argv[3] / name
        other.write_text('1 2 3 4 5')
        with pytest.raises(LGDError, match=name):
            convert(tmp_path / 'o', *argv)
        other.unlink()
    assert not (tmp_path / 'o').exists()


def test_bad_archives(tmp_path, source):
    argv = source()
    path = tmp_path / 'bad.zip'
    for data in (
        b'',
        b'PK\x03\x04 no more',
        zipped(argv[3]).read_bytes()[:-9],
    ):
        path.write_bytes(data)
        with pytest.raises(
            LGDError, match=r'bad\.zip is no folder and cannot be re'
        ):
            convert(tmp_path / 'o', *argv[:3], path)
    # a damaged member
    data = bytearray(zipped(argv[3]).read_bytes())
    data[data.index(b'_00001.txt') + 12] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(LGDError, match='cannot be read'):
        convert(tmp_path / 'o', *argv[:3], path)
    with pytest.raises(LGDError, match=r'none\.zip is no folder'):
        convert(tmp_path / 'o', *argv[:3], tmp_path / 'none.zip')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(LGDError, match=r'no files \*\.txt in'):
        convert(tmp_path / 'o', *argv[:3], tmp_path / 'empty')
    with pytest.raises(LGDError, match=r'no files \*\.txt in'):
        convert(tmp_path / 'o', '--annotations', tmp_path / 'empty', *argv[2:])


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('e_4.avi', ':3: expected `clip.avi code`'),
        ('e_4.avi 3', ":3: expected .*'e_4.avi 3'"),
        ('../b_1.avi 1', ':3: expected'),
    ],
)
def test_bad_split_lines(tmp_path, source, line, message):
    argv = source()
    path = argv[1] / 'catch_test_split1.txt'
    rows = path.read_text().split()
    path.write_text(f'{" ".join(rows[:2])}\n{" ".join(rows[2:])}\n{line}\n')
    with pytest.raises(LGDError, match=r'catch_test_split1\.txt' + message):
        convert(tmp_path / 'o', *argv)


def test_bad_splits(tmp_path, source, capsys):
    argv = source()
    file = argv[1] / 'catch_test_split1.txt'
    rows = file.read_text()
    file.write_text(f'{rows}\n{rows}')  # the same rows twice are no harm
    assert convert(tmp_path / 'o', *argv) == 0
    assert 'nothing was clipped' in capsys.readouterr().out
    got = load_tubes(tmp_path / 'o' / 'jhmdb_tubes.json')
    assert len(got.splits['1']['test']) == 3
    with pytest.raises(LGDError, match='holds the splits 1, 2, not 3'):
        convert(tmp_path / 'p', *argv, '--splits', 3)
    # a test video of a split that no box file describes
    file.write_text(f'{rows}\ne_4.avi 2\n')
    with pytest.raises(LGDError, match='1 of 4 test .* split 1 .* catch/e_4'):
        convert(tmp_path / 'p', *argv)
    file.write_text(f'{rows}\nb_1.avi 1\n')
    with pytest.raises(LGDError, match='catch/b_1 is in the training and in'):
        convert(tmp_path / 'p', *argv)
    file.unlink()
    with pytest.raises(LGDError, match=r'catch_test_split1\.txt is missing'):
        convert(tmp_path / 'p', *argv)
    with pytest.raises(LGDError, match='holds 3 classes, not 21'):
        file.write_text(rows)
        jhmdb.main([*map(str, argv), '--out', str(tmp_path / 'p')])


# ------------------------------------------------------------- ACT's pickle
def _drop(key: str) -> object:
    def change(content: dict) -> None:
        del content[key]

    return change


def _set(*keys: object) -> object:
    *path, last, value = keys

    def change(content: dict) -> None:
        for key in path:
            content = content[key]
        content[last] = value

    return change


TUBE = np.array([[1, 1, 1, 2, 2]], np.float32)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (_drop('resolution'), "KeyError: 'resolution'"),
        (_set('gttubes', [1]), 'list'),
        (_set('labels', ['catch'] * 3), 'holds 1 classes, not 3'),
        (_set('labels', CLASSES[:2]), 'KeyError: 2'),
        (_set('gttubes', BRUSH, {-1: [TUBE]}), 'a_b_0 .*KeyError: -1'),
        (_set('gttubes', BRUSH, {'2': [TUBE]}), "a_b_0 .*KeyError: '2'"),
        (_set('gttubes', BRUSH, {2: TUBE}), r'boxes are \(5,\), not'),
        (_set('gttubes', BRUSH, {2: [[TUBE]]}), 'boxes are list, not'),
        (_set('gttubes', BRUSH, {2: [TUBE + 0.5]}), 'no whole numbers'),
        (_set('gttubes', BRUSH, {2: [TUBE * np.nan]}), 'no whole numbers'),
        (
            _set('gttubes', BRUSH, {2: [np.vstack([TUBE, TUBE])]}),
            'has a frame twice or out of order',
        ),
        (_set('nframes', BRUSH, 4.0), 'a_b_0 .*TypeError'),
        (_set('nframes', BRUSH, 10**6000), 'a_b_0 .*OverflowError'),
        (_set('nframes', BRUSH, 10**7), 'has 10000000 frames of 40x30: all'),
        (_set('resolution', BRUSH, (30, 100_001)), 'has 4 frames of 100001x'),
        (_set('resolution', BRUSH, 240), 'a_b_0 .*not iterable'),
        (_set('nframes', {}), '3 of 3 test videos of split 1 have no box'),
        (_set('nframes', 'nobody', 4), 'nobody'),
        (_set('train_videos', [[BRUSH]]), 'shorter|longer'),
        (_set('test_videos', []), 'IndexError'),
        (_set('train_videos', 0, [BRUSH]), f'{BRUSH} is in the training and'),
    ],
)
def test_bad_act(tmp_path, change, message):
    content = act_content(truth())
    change(content)
    path = write_act(tmp_path / 'act.pkl', content)
    with pytest.raises(LGDError, match=message):
        convert(tmp_path / 'o', '--act', path)
    assert not (tmp_path / 'o').exists()


def test_act_with_bad_boxes(tmp_path, capsys):
    content = act_content(truth())
    # frame 5 of 4; and x2 = 40, a pixel that there is not in 0..39
    tube = np.array([[f, 3, 4, 40, 9] for f in range(2, 6)], np.float64)
    content['gttubes'][BRUSH] = {2: [tube, np.empty((0, 5))]}
    path = write_act(tmp_path / 'act.pkl', content)
    assert convert(tmp_path / 'o', '--act', path) == 1
    assert edges(tmp_path) == [(1, [[3, 4, 40, 10]] * 3)]
    out = capsys.readouterr().out
    assert 'in a frame that the video does not have: 1, first' in out
    assert 'clipped to the picture: 3, first' in out
    assert 'tubes dropped: no box left: 1, first tube 1' in out


def test_act_with_a_payload(tmp_path):
    mark = tmp_path / 'mark'
    content = act_content(truth())
    content['labels'] = _Payload(str(mark))
    path = write_act(tmp_path / 'act.pkl', content)
    with pytest.raises(LGDError, match='mkdir, which no data need'):
        convert(tmp_path / 'o', '--act', path)
    assert not mark.exists()


class _Payload:
    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.name,)
