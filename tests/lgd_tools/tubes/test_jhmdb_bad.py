"""J-HMDB annotations that are wrong: clipped, dropped, refused."""

import os
import threading

import numpy as np
import pytest
from scipy.io import savemat

from lgd_mmaction.detection.annotations import load_tubes
from lgd_mmaction.errors import LGDError
from lgd_tools.tubes import jhmdb
from lgd_tools.tubes.source_files import Members
from tests.lgd_tools.tubes.jhmdb_files import (
    BRUSH,
    CLASSES,
    CLIMB,
    HEIGHT,
    WIDTH,
    act_content,
    convert,
    edges,
    truth,
    write_act,
    write_masks,
    write_splits,
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
    out = capsys.readouterr().out.splitlines()
    found = {x.split(':')[1].strip(): x for x in out if 'dropped' in x}
    assert 'NaN or infinity: 1, first tube 0 of catch/b_1, frame 0' in out[-4]
    assert 'no area: 2, first' in found['no area']
    assert 'outside the picture: 1, first' in found['outside the picture']
    assert out[-1].startswith('boxes clipped to the picture: 1, first tube 0')
    assert '-3 2 12.5 31 in 40x30' in out[-1]
    assert convert(tmp_path / 'p', *argv, '--allow-missing') == 0
    with pytest.raises(LGDError, match='NaN|clipped|dropped') as error:
        convert(tmp_path / 'q', *argv, '--strict')
    assert '--strict' in str(error.value)
    assert not (tmp_path / 'q').exists()


def test_a_gap_stops_or_splits(tmp_path, source, capsys):
    argv = source()
    name = 'catch/b_1'
    (argv[3] / 'catch_b_1_00003.txt').unlink()
    (argv[3] / 'catch_b_1_00004.txt').unlink()
    with pytest.raises(LGDError, match=r'of catch/b_1 .* frames 2\.\.3 \(1'):
        convert(tmp_path / 'o', *argv)
    assert not (tmp_path / 'o').exists()
    assert convert(tmp_path / 'o', *argv, '--split-gaps') == 0
    boxes = truth()[name]
    assert edges(tmp_path, name) == [
        (0, boxes[:2].tolist()),
        (4, boxes[4:].tolist()),
    ]
    assert 'tubes split at gaps: 1, first tube 0' in capsys.readouterr().out


def test_a_gap_by_a_dropped_box(tmp_path, source):
    boxes = {name: b.astype(float) for name, b in truth().items()}
    boxes[BRUSH][1] = np.inf
    argv = source(boxes)
    with pytest.raises(LGDError, match='frames 1..1, since bad ones were dr'):
        convert(tmp_path / 'o', *argv)
    assert convert(tmp_path / 'o', *argv, '--split-gaps') == 1
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
        ('1 2 3 4', 'expected one line'),
        ('1 2 3 4 5\n1 2 3 4 5', 'expected one line'),
        ('', 'expected one line'),
        ('x 2 3 4 5', 'no number'),
        ('2 2 3 4 5', 'class 2, but brush_hair is number 1 of 1 to 3'),
        ('0 2 3 4 5', 'class 0'),
        ('4 2 3 4 5', 'class 4'),
        ('1\0 2 3 4 5', 'not a text file'),
        (f'1 2 3 4 {"5" * 10_001}', 'has 10009 bytes'),
    ):
        path.write_text(text)
        with pytest.raises(LGDError, match=message) as error:
            convert(tmp_path / 'o', *argv)
        assert path.name in str(error.value)
    path.write_text('1 2 3 4 5')
    other = argv[3] / 'brush_hair_nobody_0_00001.txt'
    other.write_text('1 2 3 4 5')
    with pytest.raises(LGDError, match='nobody_0_00001.txt is not <class>'):
        convert(tmp_path / 'o', *argv)
    other.unlink()
    path.rename(argv[3] / 'brush_hair_a_b_0_0000x.txt')
    with pytest.raises(LGDError, match='0000x.txt is not <class>'):
        convert(tmp_path / 'o', *argv)
    copy = argv[3] / 'copy' / 'catch_b_1_00001.txt'
    (argv[3] / 'brush_hair_a_b_0_0000x.txt').unlink()
    copy.parent.mkdir()
    copy.write_text('2 1 1 2 2')
    with pytest.raises(LGDError, match='another file holds frame 1 of catch'):
        convert(tmp_path / 'o', *argv)
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
        with pytest.raises(LGDError, match=r'bad\.zip is neither a folder no'):
            convert(tmp_path / 'o', *argv[:3], path)
    # a damaged member
    data = bytearray(zipped(argv[3]).read_bytes())
    data[data.index(b'_00001.txt') + 12] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(LGDError, match='cannot be read'):
        convert(tmp_path / 'o', *argv[:3], path)
    with pytest.raises(LGDError, match=r'box files .*none\.zip does not ex'):
        convert(tmp_path / 'o', *argv[:3], tmp_path / 'none.zip')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(LGDError, match=r'no box files \*\.txt in'):
        convert(tmp_path / 'o', *argv[:3], tmp_path / 'empty')
    with pytest.raises(LGDError, match='no <class>_test_split<N>.txt'):
        convert(tmp_path / 'o', '--annotations', tmp_path / 'empty', *argv[2:])


def test_a_pipe_among_box_files(tmp_path, source):
    """To open it would wait for ever for somebody to write."""
    argv = source()
    path = argv[3] / 'brush_hair_a_b_0_00001.txt'
    path.unlink()
    os.mkfifo(path)
    # where it is opened all the same, the test fails and does not hang
    writer = threading.Timer(2, lambda: path.write_text('1 2 3 4 5'))
    writer.daemon = True
    writer.start()
    with pytest.raises(LGDError, match='0001.txt cannot be read .*no file'):
        convert(tmp_path / 'o', *argv)
    writer.cancel()


def test_links_in_folders_of_files(tmp_path, source):
    """Each file once, wherever the links lead."""
    argv = source()
    folder, outside = argv[3], tmp_path / 'outside'
    outside.mkdir()
    name = 'brush_hair_a_b_0_00001.txt'
    (folder / name).rename(outside / name)
    (folder / 'one').symlink_to('.')
    files = {file.name for file in folder.glob('*.txt')}
    assert Members(folder, 'box files', '.txt').names == sorted(files)
    for link, target in (
        ('two', '.'),
        ('a', 'b'),
        ('out', outside),
        ('gone', 'nowhere'),
    ):
        (folder / link).symlink_to(target)
    (folder / 'b').mkdir()
    moved = 'catch_b_1_00001.txt'
    (folder / moved).rename(folder / 'b' / moved)
    (folder / 'b' / 'back').symlink_to(folder)
    names = Members(folder, 'box files', '.txt').names
    files ^= {moved, f'b/{moved}', f'out/{name}'}
    assert names == sorted(files)
    assert convert(tmp_path / 'o', *argv) == 0
    assert edges(tmp_path) == [(0, truth()[BRUSH].tolist())]


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('e_4.avi', r':3: expected `<video>\.avi code`'),
        ('e_4.avi 3', ':3: expected'),
        ('e_4.avi 0', ':3: expected'),
        ('b_1.avi 1', ':3: b_1.avi has code 1 here and 2 above'),
        ('../b_1.avi 1', ':3: expected a video'),
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
    out = capsys.readouterr().out
    assert 'rows of lists that are there twice, ignored: 2' in out
    with pytest.raises(LGDError, match='exists: give --overwrite'):
        convert(tmp_path / 'o', *argv)
    assert convert(tmp_path / 'o', *argv, '--overwrite') == 0
    with pytest.raises(LGDError, match='holds the splits 1, 2, not 3'):
        convert(tmp_path / 'p', *argv, '--splits', 3)
    # a test video of a split that no box file describes
    file.write_text(f'{rows}\ne_4.avi 2\n')
    with pytest.raises(LGDError, match='1 of 4 test .* split 1 .* catch/e_4'):
        convert(tmp_path / 'p', *argv)
    copy = argv[1] / 'copy'
    copy.mkdir()
    (copy / file.name).write_text(rows)
    with pytest.raises(LGDError, match='are the same split file'):
        convert(tmp_path / 'p', *argv)
    (copy / file.name).unlink()
    file.unlink()
    with pytest.raises(LGDError, match=r'catch_test_split1\.txt is missing'):
        convert(tmp_path / 'p', *argv)
    with pytest.raises(LGDError, match='holds 3 classes, not 21'):
        file.write_text(rows)
        jhmdb.main([*map(str, argv), '--out', str(tmp_path / 'p')])


LONG = np.ones((1, 1, 100_001), np.uint8)


def test_bad_masks(tmp_path, capsys):
    splits = write_splits(tmp_path / 'splits')
    boxes = truth()
    masks = write_masks(tmp_path / 'puppet_mask', boxes)
    argv = ['--annotations', splits, '--puppet-masks', masks]
    # a person who is not there at the end, and a mask of another video
    path = masks / BRUSH / 'puppet_mask.mat'
    mask = np.zeros((HEIGHT, WIDTH, 4), bool)
    mask[3:7, 2:4, :3] = True
    savemat(path, {'part_mask': mask})
    extra = masks / 'catch' / 'nobody' / 'puppet_mask.mat'
    extra.parent.mkdir()
    extra.write_bytes(b'')
    assert convert(tmp_path / 'o', *argv) == 0
    assert edges(tmp_path) == [(0, [[2, 3, 4, 7]] * 3)]
    got = load_tubes(tmp_path / 'o' / 'jhmdb_tubes.json')
    assert got.videos[BRUSH].num_frames == 4
    assert 'masks of videos that no split names: 1' in capsys.readouterr().out
    mask[:, :, 1] = False
    savemat(path, {'part_mask': mask})
    with pytest.raises(LGDError, match=r'no box in frames 1\.\.1'):
        convert(tmp_path / 'p', *argv)
    for content, message in (
        ({'x': 1}, 'holds no part_mask'),
        ({'part_mask': np.zeros((2, 2, 2, 2))}, r'shape \(2, 2, 2, 2\)'),
        ({'part_mask': np.zeros((0, 0))}, 'shape'),
        ({'part_mask': 'text'}, 'not an array of real numbers'),
        ({'part_mask': np.array([[1j]])}, 'not an array of real numbers'),
        ({'part_mask': {'a': 1}}, 'not an array of real numbers'),
        # few bytes in the file, gigabytes as boxes
        ({'part_mask': LONG}, r'\(1, 1, 100001\), more than 100000 in'),
        ({'part_mask': LONG.T}, r'\(100001, 1, 1\), more than 100000 in'),
    ):
        savemat(path, content)
        with pytest.raises(LGDError, match=message) as error:
            convert(tmp_path / 'p', *argv)
        assert BRUSH in str(error.value)
    for data in (b'', b'MATLAB 7.3 MAT-file' + bytes(200), b'x' * 300):
        path.write_bytes(data)
        with pytest.raises(LGDError, match='not a readable MATLAB 5 file'):
            convert(tmp_path / 'p', *argv)
    with pytest.raises(SystemExit):
        convert(tmp_path / 'p', *argv, '--coordinates', 'edges')


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
        (_drop('resolution'), "not in ACT's format: resolution missing"),
        (_set('gttubes', [1]), 'gttubes is not a dict'),
        (_set('labels', [1, 2, 3]), 'labels is not a list of names'),
        (_set('labels', ['catch'] * 3), 'labels names a class twice'),
        (_set('labels', CLASSES[:2]), 'has label 2, outside 0..1'),
        (_set('labels', [*CLASSES, 'wave']), 'a tube of class'),
        (_set('gttubes', BRUSH, {3: [TUBE]}), 'a_b_0 has label 3, outside'),
        (_set('gttubes', BRUSH, {-1: [TUBE]}), 'has label -1'),
        (_set('gttubes', BRUSH, {'2': [TUBE]}), "label is '2', not a whole"),
        (_set('gttubes', BRUSH, {0: [TUBE]}), 'has a tube of class climb_st'),
        (_set('gttubes', BRUSH, {2: TUBE}), 'label 2 holds no list'),
        (_set('gttubes', BRUSH, {2: [TUBE[0]]}), r'shape \(5,\)'),
        (_set('gttubes', BRUSH, {2: [TUBE + 0.5]}), 'no whole numbers'),
        (_set('gttubes', BRUSH, {2: [TUBE * np.nan]}), 'no whole numbers'),
        (
            _set('gttubes', BRUSH, {2: [np.vstack([TUBE, TUBE])]}),
            'frame 0 is there twice',
        ),
        (_set('nframes', BRUSH, 0), 'has 0 frames'),
        (_set('nframes', BRUSH, 4.0), 'nframes is 4.0, not a whole'),
        (_set('nframes', BRUSH, 10**6000), 'nframes is beyond 1000000000'),
        (_set('nframes', BRUSH, 10**7), 'has 10000000 frames of 40x30; at'),
        (_set('nframes', BRUSH, [10**6000]), 'nframes is an odd list, not'),
        (_set('nframes', 10**6000, 4), 'expected a video .* got an odd int'),
        (_set('resolution', BRUSH, (30, 2**64)), 'resolution is beyond'),
        (_set('resolution', BRUSH, (30, 100_001)), 'has 4 frames of 100001x'),
        (_set('resolution', BRUSH, 240), 'lacks its number of frames'),
        (_set('nframes', {}), 'lacks its number of frames'),
        (_set('gttubes', 'nobody', {}), 'expected a video `<class>/<video>`'),
        (_set('train_videos', [['catch/x'], []]), 'split 1 names catch/x'),
        (_set('train_videos', [[BRUSH]]), 'has 1 training and 2 test lists'),
        (_set('test_videos', []), 'test_videos is no list'),
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
