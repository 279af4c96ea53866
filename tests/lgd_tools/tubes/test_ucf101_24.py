"""UCF101-24 annotations -> tubes: the real file, both formats, every trap."""

import copy
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from lgd_mmaction.detection.annotations import load_tubes
from lgd_mmaction.errors import LGDError
from lgd_tools.tubes import ucf101_24
from tests.lgd_tools.tubes.ucf101_24_files import (
    EMPTY,
    FIRST,
    SECOND,
    TRUTH,
    act,
    convert,
    dump,
    pyannot,
    result,
    run,
)


# --------------------------------------------------------------- real files
@pytest.fixture(scope='module')
def real(tmp_path_factory, shared_data):
    folder = shared_data / 'annotations' / 'ucf101_24'
    out = tmp_path_factory.mktemp('real')
    argv = ['--pyannot', folder / 'pyannot.pkl', '--out', out]
    argv += ['--test-list', folder / 'testlist01.txt']
    assert ucf101_24.main([str(a) for a in argv]) == 0
    return folder, out, load_tubes(out / 'ucf101_24_tubes.json')


@pytest.mark.slow
def test_real_counts(real):
    folder, out, tubes = real
    assert len(tubes.classes) == 24 and len(tubes.videos) == 3194
    assert tubes.classes[0] == 'Basketball'
    assert tubes.classes[17] == 'Skijet'
    assert tubes.classes[23] == 'WalkingWithDog'
    assert list(tubes.splits) == ['1']
    train, test = tubes.subset(1, 'train'), tubes.subset(1, 'test')
    assert (len(train), len(test)) == (2284, 910)
    assert not {v.name for v in train} & {v.name for v in test}
    counts = [
        (
            sum(len(v.tubes) for v in part),
            sum(len(t.boxes) for v in part for t in v.tubes),
            sum(v.num_frames for v in part),
        )
        for part in (train, test)
    ]
    assert counts == [(3143, 403282, 395868), (1315, 170580, 159289)]
    assert sum(c[0] for c in counts) == 4458
    assert [v.name for v in test] == (
        (folder / 'testlist01.txt').read_text().split()
    )
    report = (out / 'ucf101_24_tubes_report.txt').read_text()
    assert 'edges as read: x 1..320, y 1..240' in report
    assert 'nothing was clipped, dropped or left out' in report


@pytest.mark.slow
def test_real_boxes(real):
    """Each number, against the stock unpickler."""
    folder, _, tubes = real
    with (folder / 'pyannot.pkl').open('rb') as file:
        content = pickle.load(file, encoding='latin1')
    overflowing = 0
    for name, video in content.items():
        got = tubes.videos[name]
        assert got.num_frames == int(video['numf'])
        pairs = zip(got.tubes, video['annotations'], strict=True)
        for tube, annotation in pairs:
            boxes = annotation['boxes']
            wide = boxes.astype(int)
            assert np.array_equal(tube.boxes[:, :2], wide[:, :2])
            assert np.array_equal(tube.boxes[:, 2:], wide[:, :2] + wide[:, 2:])
            assert (tube.start, tube.stop) == (
                annotation['sf'],
                annotation['ef'],
            )
            assert tubes.classes[tube.label] == name.split('/')[0]
            narrow = boxes[:, :2] + boxes[:, 2:]
            overflowing += int((narrow != tube.boxes[:, 2:]).any(1).sum())
    # what adding in uint8 would have spoilt
    assert overflowing == 60072


# ------------------------------------------------------- formats of one truth
def test_pyannot(tmp_path, capsys):
    before = pyannot()[FIRST]['annotations'][0]['boxes'][0]
    assert before.dtype == np.uint8 and int(before[0]) + int(before[2]) == 300
    assert run(tmp_path, pyannot()) == 1  # EMPTY cannot be trained on
    expected = {name: TRUTH[name] for name in (FIRST, SECOND)}
    assert result(tmp_path / 'o') == expected
    out = capsys.readouterr().out
    assert (
        f'training videos of split 1 left out: no box: 1, first {EMPTY}'
        in (out)
    )
    assert 'split 1 train: 1 videos, 300 frames, 3 tubes, 303 boxes' in out
    assert 'split 1 test: 1 videos, 200 frames, 2 tubes, 7 boxes' in out


def test_act_agrees(tmp_path):
    path = dump(tmp_path / 'UCF101v2-GT.pkl', act())
    assert convert(tmp_path / 'a', '--act', path) == 1
    assert run(tmp_path, pyannot()) == 1
    first = tmp_path / 'a' / 'ucf101_24_tubes.json'
    second = tmp_path / 'o' / 'ucf101_24_tubes.json'
    assert first.read_bytes() == second.read_bytes()
    assert result(tmp_path / 'a')[SECOND] == TRUTH[SECOND]


def test_coordinates(tmp_path):
    argv = ('--coordinates', 'pixels1', '--allow-missing')
    assert run(tmp_path, pyannot(), *argv) == 0
    boxes = result(tmp_path / 'o')[FIRST][1][1][2]
    assert boxes == [[0, 0, 320, 240]] * 2


def test_act_in_pixels(tmp_path, capsys):
    """ACT's own pickles count pixels from 0: the report shows the range."""
    content = act()
    boxes = [[9, 0, 0, 99, 99], [10, 50, 50, 319, 239]]
    content['gttubes'][FIRST] = {0: [np.array(boxes)]}
    content['gttubes'][SECOND] = {1: [np.array([[1, 5, 5, 9, 9]])]}
    argv = ('--act', dump(tmp_path / 'act.pkl', content))
    assert convert(tmp_path / 'a', *argv) == 1
    assert 'as read: x 0..319, y 0..239' in capsys.readouterr().out
    assert convert(tmp_path / 'a', *argv, '--coordinates', 'pixels0') == 1
    assert 'as read: x 0..320, y 0..240' in capsys.readouterr().out
    assert result(tmp_path / 'a')[FIRST][1] == [
        (0, 8, [[0, 0, 100, 100], [50, 50, 320, 240]])
    ]


def test_a_test_video_without_boxes_stays(tmp_path, capsys):
    """All that is detected in it is false: it belongs to the score."""
    assert run(tmp_path, pyannot(), test=f'{FIRST}\n{EMPTY}\n') == 0
    assert result(tmp_path / 'o')[EMPTY] == (10, [])
    out = capsys.readouterr().out
    assert f'test videos of split 1 without a box: 1, first {EMPTY}' in out


def test_lists(tmp_path, capsys):
    test = f'{FIRST}.avi\r\n{FIRST}\n{EMPTY}\n'
    assert run(tmp_path, pyannot(), test=test) == 0
    tubes = load_tubes(tmp_path / 'o' / 'ucf101_24_tubes.json')
    assert tubes.splits == {'1': {'train': [SECOND], 'test': [FIRST, EMPTY]}}
    for text, message in (
        ('Basketball/v_Basketball_g01_c02', 'does not hold Basketball/v_B'),
        ('Biking/v_Biking_g01_c01.avi', 'does not hold Biking/v_Biking'),
        ('v_Basketball_g01_c01', r'txt:1 .* is no video'),
        ('../x/y', r'txt:1 .* is no video'),
        (f'{FIRST}\nA/b', 'does not hold A/b'),
    ):
        with pytest.raises(LGDError, match=message):
            run(tmp_path, pyannot(), test=text)


# --------------------------------------------------------------- bad sources
def _tube(**changes: object) -> object:
    def change(content: dict) -> None:
        content[FIRST]['annotations'][0].update(changes)

    return change


def _video(name: str = FIRST, **changes: object) -> object:
    def change(content: dict) -> None:
        content[name].update(changes)

    return change


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (_tube(label=1), 'labels do not fit the folders'),
        (_tube(label=2), 'labels do not fit the folders'),
        (_tube(label=-1), 'labels do not fit the folders'),
        (_tube(label='0'), f'{FIRST} is not as .*integer'),
        (_tube(label=None), f'{FIRST} is not as .*integer'),
        (_tube(ef=9), r'5 boxes in frames 3\.\.8'),
        (_tube(ef=7), r'5 boxes in frames 3\.\.6'),
        (_tube(sf=3.0), f'{FIRST} is not as .*integer'),
        (_tube(sf=2**64, ef=2**64 + 5), 'OverflowError'),
        (_video(numf=10**6000), 'OverflowError'),
        (_video(numf=10**9 - 1), 'has 999999999 frames of 320x240: all'),
        (_tube(boxes=np.zeros((5, 5))), r'boxes are \(5, 5\), not'),
        (_tube(boxes=np.array([['a'] * 4] * 5)), r'boxes are \(5, 4\), not'),
        (_tube(boxes=[[1], [1, 2]]), 'boxes are list, not'),
        (_video(annotations=[7]), f'{FIRST} is not as'),
        (_video(annotations=None), f'{FIRST} is not as'),
        (_video(numf=0), 'has 0 frames'),
        (_video(EMPTY, label=0), 'labels do not fit the folders'),
        (lambda c: c.pop(FIRST), 'labels do not fit the folders'),
        (lambda c: c.update({'x': c[FIRST]}), "'x' is no video"),
        (lambda c: c.update({1: c[FIRST]}), "'int' object"),
        (lambda c: c.update({'gttubes': {}}), "'gttubes' is no video"),
        (lambda c: c.clear(), 'not enough values'),
    ],
)
def test_bad_pyannot(tmp_path, change, message):
    content = pyannot()
    change(content)
    with pytest.raises(LGDError, match=message):
        run(tmp_path, content)
    assert not (tmp_path / 'o').exists()


def test_wrong_files(tmp_path):
    for content in ([1], None, 'x', np.zeros(3)):
        with pytest.raises(LGDError, match=r'pyannot\.pkl, as pyannot'):
            run(tmp_path, content)
    (tmp_path / 'x.pkl').write_bytes(b'no pickle')
    for option in ('--pyannot', '--act'):
        argv = [option, tmp_path / 'x.pkl']
        if option == '--pyannot':
            argv += ['--test-list', tmp_path / 'testlist01.txt']
        with pytest.raises(LGDError, match=r'x\.pkl is damaged or no pickle'):
            convert(tmp_path / 'o', *argv)
    with pytest.raises(LGDError, match="pickle in ACT's format, is not"):
        path = dump(tmp_path / 'y.pkl', pyannot())
        convert(tmp_path / 'o', '--act', path)
    path = dump(tmp_path / 'z.pkl', act())
    with pytest.raises(LGDError, match='holds 2 classes, not 24'):
        ucf101_24.main(['--act', str(path), '--out', str(tmp_path / 'o')])


class _Payload:
    def __init__(self, name: Path) -> None:
        self.name = str(name)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.name,)


def test_a_payload_does_not_run(tmp_path):
    mark = tmp_path / 'mark'
    content = pyannot()
    content[FIRST]['annotations'][0]['boxes'] = _Payload(mark)
    with pytest.raises(LGDError, match='mkdir, which no data need'):
        run(tmp_path, content)
    assert not mark.exists()


# ---------------------------------------------------------------- bad boxes
def test_bad_boxes_are_counted(tmp_path, capsys):
    content = copy.deepcopy(pyannot())
    boxes = np.array(
        [
            [10, 10, 0, 5],  # no width
            [10, 10, 5, -5],  # negative height
            [300, 200, 50, 60],  # leaves the picture
            [10, 10, 5, 5],
            [320, 10, 5, 5],  # beside it
            [np.nan, 1, 2, 3],
            [10, 10, 5, 5],  # after the last frame
        ]
    )
    tube = {'label': 0, 'sf': 194, 'ef': 201, 'boxes': boxes}
    content[FIRST]['annotations'].append(tube)
    gone = {'label': 0, 'sf': 0, 'ef': 2, 'boxes': boxes[:2]}
    content[FIRST]['annotations'].append(gone)
    assert run(tmp_path, content, test=f'{FIRST}\n{EMPTY}') == 1
    tubes = result(tmp_path / 'o')[FIRST][1]
    assert tubes[:2] == TRUTH[FIRST][1] and len(tubes) == 3
    assert tubes[2] == (0, 196, [[300, 200, 320, 240], [10, 10, 15, 15]])
    out = capsys.readouterr().out
    for line in (
        'boxes dropped: no area: 4, first tube 2 of Basketball/v_Basketball_'
        'g01_c01, frame 194, 10 10 10 15',
        'boxes dropped: outside the picture: 1',
        'boxes dropped: NaN or infinity: 1',
        'boxes dropped: in a frame that the video does not have: 1',
        'tubes dropped: no box left: 1, first tube 3 of',
        'boxes clipped to the picture: 1',
    ):
        assert line in out


def test_a_gap_by_a_dropped_box(tmp_path):
    content = copy.deepcopy(pyannot())
    tube = content[FIRST]['annotations'][0]
    tube['boxes'] = tube['boxes'].copy()
    tube['boxes'][2, 2] = 0
    assert run(tmp_path, content) == 1
    tubes = result(tmp_path / 'o')[FIRST][1]
    assert [(start, len(boxes)) for _, start, boxes in tubes] == [
        (3, 2),
        (6, 2),
        (9, 2),
    ]


def test_size(tmp_path, capsys):
    """A wrong --size shows: boxes leave the picture."""
    run(tmp_path, pyannot(), '--size', '299x239')
    assert 'boxes clipped to the picture: ' in capsys.readouterr().out


def test_command_line(tmp_path, capsys):
    for argv in (
        ['--pyannot', 'x'],
        ['--act', 'x', '--test-list', 'y'],
        ['--act', 'x', '--pyannot', 'y', '--test-list', 'z'],
        [],
    ):
        with pytest.raises(SystemExit) as error:
            convert(tmp_path / 'o', *argv)
        assert error.value.code == 2
    with pytest.raises(SystemExit):
        ucf101_24.main(['--help'])
    assert '--test-list testlist01.txt' in capsys.readouterr().out
    assert run(tmp_path, pyannot()) == 1
