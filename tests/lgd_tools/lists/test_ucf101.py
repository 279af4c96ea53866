"""UCF101 split lists -> lists: real files, layouts, every trap."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lgd_tools.cli import ToolError, read_list
from lgd_tools.lists import ucf101

COUNTS = {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}
CLASSES = '1 Biking\r\n2 HandstandPushups\r\n3 YoYo\r\n'
TRAIN = """\
Biking/v_Biking_g08_c01.avi 1
Biking/v_Biking_g08_c02.avi 1
HandstandPushups/v_HandStandPushups_g08_c01.avi 2
YoYo/v_YoYo_g09_c01.avi 3"""
TEST = 'Biking/v_Biking_g01_c01.avi\nYoYo/v_YoYo_g01_c01.avi'
VIDEOS = [line.split(' ')[0] for line in f'{TRAIN}\n{TEST}'.split('\n')]


def annotate(folder: Path, train: str = TRAIN, test: str = TEST) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / 'classInd.txt').write_bytes(CLASSES.encode())
    for split in (1, 2, 3):
        for name, text in (('train', train), ('test', test)):
            data = text.replace('\n', '\r\n') + '\r\n\r\n'
            path = folder / f'{name}list{split:02d}.txt'
            path.write_bytes(data.encode())
    return folder


def touch(root: Path, *names: str, content: bytes = b'x') -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def convert(tmp_path: Path, *more: object, **texts: str) -> int:
    folder = annotate(tmp_path / 'ann', **texts)
    argv = ['--annotations', folder, '--out', tmp_path / 'out', *more]
    return ucf101.main([str(a) for a in (*argv, '--num-classes', 3)])


def lines(tmp_path: Path, name: str) -> list[str]:
    path = tmp_path / 'out' / f'ucf101_{name}.txt'
    return path.read_text().splitlines()


@pytest.mark.slow
def test_real_files(tmp_path, shared_data):
    folder = shared_data / 'annotations'
    argv = ['--annotations', folder / 'ucf101', '--no-check-videos']
    assert ucf101.main([str(a) for a in (*argv, '--out', tmp_path)]) == 0
    label_map = folder / 'label_maps' / 'label_map_ucf101.txt'
    assert (tmp_path / 'label_map.txt').read_text() == label_map.read_text()
    names = label_map.read_text().split()
    for split, counts in COUNTS.items():
        groups = []
        for subset, count in zip(('train', 'val'), counts, strict=True):
            name = f'ucf101_{subset}_split_{split}_videos.txt'
            rows = read_list(tmp_path / name)
            assert len(rows) == count
            assert {row[1][0] for row in rows} == set(range(101))
            assert all(p.split('/')[0] == names[i] for p, [i] in rows)
            groups.append({re.sub(r'_c\d+\.avi$', '', p) for p, _ in rows})
        # the official splits keep the 25 groups of a class apart
        assert not groups[0] & groups[1]
        assert len(groups[0] | groups[1]) == 25 * 101


@pytest.mark.parametrize('suffix', ['.avi', '.mp4'])
@pytest.mark.parametrize('layout', ['folders', 'flat'])
def test_layouts(tmp_path, suffix, layout):
    names = [name.replace('.avi', suffix) for name in VIDEOS]
    # the archive spells this file as its folder
    names[2] = names[2].replace('HandStand', 'Handstand')
    if layout == 'flat':
        names = [name.split('/')[1] for name in names]
    touch(tmp_path / 'v', *names)
    assert convert(tmp_path, '--videos', tmp_path / 'v') == 0
    for split in (1, 2, 3):
        got = lines(tmp_path, f'train_split_{split}_videos')
        assert got == [f'{names[i]} {c}' for i, c in enumerate([0, 0, 1, 2])]
        got = lines(tmp_path, f'val_split_{split}_videos')
        assert got == [f'{names[4]} 0', f'{names[5]} 2']
    assert (tmp_path / 'out' / 'videos' / names[2]).is_file()
    assert convert(tmp_path) == 0  # from the links


def test_missing_video(tmp_path, capsys):
    touch(tmp_path / 'v', *VIDEOS[1:])
    touch(tmp_path / 'v', VIDEOS[3], content=b'')
    argv = ('--videos', tmp_path / 'v', '--splits', 1)
    assert convert(tmp_path, *argv) == 1
    path = tmp_path / 'out' / 'ucf101_report.json'
    got = json.loads(path.read_text())['lists']
    got = got['ucf101_train_split_1_videos.txt']
    assert got['left_out'] == {'missing': 1, 'empty': 1}
    assert got['clips_left_out']['missing'][0]['clip'] == VIDEOS[0]
    assert got['classes_emptied'] == ['YoYo']
    assert '2 of 3 classes have clips' in capsys.readouterr().out
    assert not (tmp_path / 'out/ucf101_train_split_2_videos.txt').exists()
    assert convert(tmp_path, *argv, '--allow-missing') == 0


def test_rawframes(tmp_path):
    touch(tmp_path / 'v', *VIDEOS)
    for name in VIDEOS:
        for i in range(1, 6):
            folder = f'frames/{name[:-4]}'
            touch(tmp_path, *(f'{folder}/flow_{a}_{i:05d}.jpg' for a in 'xy'))
        touch(tmp_path, f'{folder}/img_00006.jpg')
    argv = ('--videos', tmp_path / 'v', '--rawframes', tmp_path / 'frames')
    assert convert(tmp_path, *argv) == 0
    got = lines(tmp_path, 'val_split_2_rawframes')
    assert got == [f'{VIDEOS[4][:-4]} 5 0', f'{VIDEOS[5][:-4]} 5 2']
    frames = tmp_path / 'out' / 'rawframes' / VIDEOS[0][:-4]
    assert (frames / 'flow_x_00001.jpg').is_file()


def test_separators_and_duplicates(tmp_path):
    train = TRAIN.replace('/', '\\') + '\nYoYo/v_YoYo_g09_c01.avi 3'
    assert convert(tmp_path, '--no-check-videos', train=train) == 0
    got = lines(tmp_path, 'train_split_1_videos')
    assert got == [
        f'{name} {c}' for name, c in zip(VIDEOS[:4], (0, 0, 1, 2), strict=True)
    ]


@pytest.mark.parametrize(
    ('train', 'message'),
    [
        ('Biking/a.avi 1\n\nBiking/b.avi 2', r':3: expected .*b\.avi 2'),
        ('Biking/a.avi 0', r':1: expected'),
        ('Biking/a.avi 102', r':1: expected'),
        ('Biking/a.avi', r':1: expected `Class/clip.avi number`'),
        ('Biking/a.avi x', r':1: expected'),
        ('Hiking/a.avi 1', r':1: expected .*of classInd'),
        ('a.avi 1', r':1: expected'),
        ('Biking/../a.avi 1', r':1: expected'),
        ('Biking/..avi 1', r':1: expected'),
    ],
)
def test_wrong_lines_name_the_line(tmp_path, train, message):
    with pytest.raises(ToolError, match=r'trainlist01\.txt' + message):
        convert(tmp_path, '--no-check-videos', train=train)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1 A\n2 B\n', '2 classes, expected 3 different'),
        ('0 A\n1 B\n2 C\n', 'expected 3 different ones, numbered from 1'),
        ('1 A\n1 B\n3 C\n', '2 classes, expected 3'),
        ('1 A\n2 A\n3 C\n', 'expected 3 different'),
        ('A\nB\nC\n', r':1: expected `number ClassName`'),
    ],
)
def test_wrong_class_lists(tmp_path, text, message):
    path = tmp_path / 'classInd.txt'
    path.write_text(text)
    with pytest.raises(ToolError, match=r'classInd\.txt:? ?.*' + message):
        ucf101.read_classes(path, 3)


def test_annotation_folder(tmp_path):
    found = annotate(tmp_path / 'ucfTrainTestlist')
    argv = ['--annotations', str(tmp_path), '--out', str(tmp_path / 'out')]
    argv += ['--num-classes', '3', '--no-check-videos']
    assert ucf101.main(argv) == 0
    (found / 'testlist02.txt').unlink()
    with pytest.raises(ToolError, match=r'testlist02\.txt does not exist'):
        ucf101.main(argv)
    (found / 'classInd.txt').unlink()
    with pytest.raises(ToolError, match=r'classInd\.txt does not exist'):
        ucf101.main(argv)


def test_unicode_forms_and_raw_bytes_are_found(tmp_path):
    train = TRAIN.replace('g08_c02', 'caf\xe9')
    other = unicodedata.normalize('NFD', 'Biking/v_Biking_caf\xe9.avi')
    touch(tmp_path / 'v', *(VIDEOS[i] for i in (0, 2, 3, 4, 5)), other)
    assert convert(tmp_path, '--videos', tmp_path / 'v', train=train) == 0
    assert lines(tmp_path, 'train_split_1_videos')[1] == f'{other} 0'
    (tmp_path / 'v' / other).unlink()
    (tmp_path / 'v' / 'Biking/v_Biking_caf\udce9.avi').write_bytes(b'x')
    assert convert(tmp_path, '--videos', tmp_path / 'v', train=train) == 0
    listed = lines(tmp_path, 'train_split_1_videos')[1]
    assert listed == 'Biking/v_Biking_caf_.avi 0'
    assert (tmp_path / 'out' / 'videos' / listed[:-2]).is_file()


def test_a_file_in_the_way_of_a_link_is_kept(tmp_path):
    touch(tmp_path / 'v', *VIDEOS)
    touch(tmp_path / 'out' / 'videos', VIDEOS[0], content=b'mine')
    with pytest.raises(ToolError, match='in the way of a link'):
        convert(tmp_path, '--videos', tmp_path / 'v')
    kept = tmp_path / 'out' / 'videos' / VIDEOS[0]
    assert kept.read_bytes() == b'mine'


def test_links_follow_a_new_folder(tmp_path):
    for name in ('v', 'resized'):
        touch(tmp_path / name, *VIDEOS)
        assert convert(tmp_path, '--videos', tmp_path / name) == 0
        link = tmp_path / 'out' / 'videos' / VIDEOS[0]
        assert link.resolve() == (tmp_path / name / VIDEOS[0]).resolve()


@given(
    st.lists(
        st.sampled_from([*' \r\n\\/.0123\xe9', 'Biking', 'YoYo/a.avi 3\n']),
        max_size=30,
    ).map(''.join)
)
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_fuzz_split_list(tmp_path, text):
    path = tmp_path / 'fuzz.txt'
    path.write_bytes(text.encode('latin-1'))
    for labelled in (True, False):
        try:
            clips = ucf101.read_split(path, ['Biking', 'YoYo'], labelled)
        except ToolError as error:
            assert 'fuzz.txt:' in str(error)
        else:
            assert {c.split('/')[0] for c in clips} <= {'Biking', 'YoYo'}
