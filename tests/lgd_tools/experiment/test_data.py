"""What run_experiment.py finds out about the data before it starts."""

import json
from pathlib import Path

import pytest

from lgd_tools.cli import ToolError
from lgd_tools.experiment.data import check_overlap
from tests.lgd_tools.experiment.conftest import argv_of, calls


def _break(root: Path, what: str) -> None:
    rgb_list = root / 'data' / 'rgb_test_1.txt'
    lines = rgb_list.read_text().splitlines()
    if what == 'no list':
        rgb_list.unlink()
    elif what == 'missing video':
        (root / 'data/videos/s1_v4.avi').unlink()
    elif what == 'empty video':
        (root / 'data/videos/s1_v4.avi').write_bytes(b'')
    elif what == 'missing flow':
        (root / 'data/flow/s1_v3/flow_y_00003.jpg').unlink()
    elif what == 'empty flow':
        (root / 'data/flow/s1_v3/flow_x_00005.jpg').write_bytes(b'')
    elif what == 'other label':
        lines[1] = lines[1].replace(' 1', ' 0')
    elif what == 'fewer videos':
        lines.pop()
    elif what == 'overlap':
        lines.append('s1_v0.avi 0')
    elif what == 'twice':
        lines *= 2
    elif what == 'no number of frames':
        flow_list = root / 'data' / 'flow_test_1.txt'
        flow_list.write_text(flow_list.read_text().replace('_v3 5', '_v3'))
    if what != 'no list':
        rgb_list.write_text('\n'.join(lines) + '\n')


@pytest.mark.parametrize(
    ('what', 'message'),
    [
        ('no list', r'annotation list data/rgb_test_1.txt does not exist'),
        ('missing video', r'1 of 4 videos are missing.*videos/s1_v4.avi'),
        ('empty video', r'missing or empty: data/videos/s1_v4.avi'),
        ('missing flow', r'flow_test_1.*s1_v3/flow_y_00003.jpg'),
        ('empty flow', r'flow_test_1.*s1_v3/flow_x_00005.jpg'),
        ('other label', r'disagree on s1_v3: label 0 and 1'),
        ('fewer videos', r'not in data/rgb_test_1.txt: s1_v5.*--exclude'),
        ('fewer videos', r'--exclude bad.txt'),
        ('overlap', r'1 videos of data/rgb_test_1.txt are also in'),
        ('twice', r's1_v2.avi is there more than once'),
        # its label would pass for a number of frames
        ('no number of frames', r'flow_test_1.*s1_v3 has no number of frames'),
    ],
)
def test_check_finds_bad_data(tool, place, what, message):
    _break(place, what)
    with pytest.raises(ToolError, match=message):
        tool.main(argv_of('--check-only'))
    assert calls() == []


def test_check_only(tool, place, capsys):
    assert tool.main(argv_of('--check-only')) == 0
    assert '4 videos, data/flow_test_2.txt' in capsys.readouterr().out
    assert calls() == []
    # asked for, it looks again even where nothing seems changed
    (place / 'data/videos/s1_v4.avi').unlink()
    with pytest.raises(ToolError, match='s1_v4'):
        tool.main(argv_of('--check-only'))


def test_a_list_is_checked_with_each_folder(tool, place):
    """The val list is the test list, but its videos are elsewhere."""
    option = 'val_dataloader.dataset.data_prefix.video=data/small'
    argv = ['--name', 'one', '--rgb', 'rgb1.py', '--cfg-options', option]
    with pytest.raises(ToolError, match='4 of 4.*data/small/s1_v2.avi'):
        tool.main([*argv, '--check-only'])
    (place / 'data/small').mkdir()
    for path in (place / 'data/videos').iterdir():
        (place / 'data/small' / path.name).write_bytes(b'small')
    assert tool.main(argv) == 0
    result = Path('work_dirs/experiments/one/result.json')
    data = json.loads(result.read_text())['runs'][0]['data']
    assert {role: facts['folder'] for role, facts in data.items()} == {
        'train': 'data/videos',
        'val': 'data/small',
        'test': 'data/videos',
    }


@pytest.mark.parametrize(
    ('train', 'test', 'found'),
    [
        ('run/01.avi walk/02.avi', 'walk/01.avi run/03.avi', None),
        ('run/01.avi walk/02.avi', 'walk/01.avi run/01.avi', 'run/01.avi'),
        ('run/01.avi walk/02.avi', 'run/01.mp4', 'run/01.mp4'),
        ('run/01.avi walk/02.avi', r'run\01.avi', r'run\01.avi'),
        ('run/a.avi', 'run/b.avi', None),
        # part of a folder's name is no folder
        ('fast_run/01.avi', 'run/01.avi', None),
        ('v1.2.avi', 'v1.avi v1.3.avi', None),
    ],
)
def test_overlap(tmp_path, train, test, found):
    paths = []
    for role, names in (('train', train), ('test', test)):
        paths.append(tmp_path / f'{role}.txt')
        paths[-1].write_text(''.join(f'{n} 0\n' for n in names.split()))
    if found is None:
        check_overlap(*paths)
        return
    with pytest.raises(ToolError, match='1 videos of .*for exam') as e:
        check_overlap(*paths)
    assert f'for example {found};' in str(e.value)
