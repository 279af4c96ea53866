"""Kinetics csv files -> lists: real files, both layouts, every trap."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lgd_tools.cli import ToolError, read_list
from lgd_tools.lists import kinetics

HEADER = 'label,youtube_id,time_start,time_end,split'
# four classes, of which two differ in more than letters
ROWS = """\
air drumming,-a0_12345_67,3,13,train
air drumming,bbbbbbbbbbb,0,10,train
passing american football (not in game),ccccccccccc,100,110,train
zumba,ddddddddddd,7,17,train
"massaging person's head",eeeeeeeeeee,9,19,train
zumba,fffffffffff,1,11,val
air drumming,ggggggggggg,2,12,val"""


def write_csv(path: Path, rows: str = ROWS, header: str = HEADER) -> Path:
    path.write_text(f'{header}\n{rows}\n')
    return path


def touch(root: Path, *names: str, content: bytes = b'x') -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def convert(tmp_path: Path, *more: object, csv: Path | None = None) -> int:
    csv = csv or write_csv(tmp_path / 'k.csv')
    out = tmp_path / 'out'
    argv = ['--version', 600, '--csv', csv, '--out', out, *more]
    if '--num-classes' not in more:
        argv += ['--num-classes', 4]
    return kinetics.main([str(a) for a in argv])


def read_out(tmp_path: Path, split: str, kind: str = 'videos') -> list[str]:
    path = tmp_path / 'out' / f'kinetics600_{split}_list_{kind}.txt'
    return path.read_text().splitlines()


def report(tmp_path: Path) -> dict:
    path = tmp_path / 'out' / 'kinetics600_report.json'
    return json.loads(path.read_text())['lists']


# -------------------------------------------------------------- real files
@pytest.mark.parametrize(
    ('version', 'val'),
    [(400, 19906), (600, 30000)],
)
@pytest.mark.slow
def test_real_files(tmp_path, shared_data, version, val):
    folder = shared_data / 'annotations'
    files = [
        folder / 'kinetics' / f'kinetics-{version}_{split}.csv'
        for split in ('val', 'test')
    ]
    argv = ['--version', version, '--csv', *files, '--no-check-videos']
    code = kinetics.main([str(a) for a in (*argv, '--out', tmp_path)])
    assert code == 0
    label_map = folder / 'label_maps' / f'label_map_k{version}.txt'
    assert (tmp_path / 'label_map.txt').read_text() == label_map.read_text()
    rows = read_list(tmp_path / f'kinetics{version}_val_list_videos.txt')
    assert len(rows) == val
    assert {row[1][0] for row in rows} == set(range(version))
    assert all(' ' not in name for name, _ in rows)
    test = tmp_path / f'kinetics{version}_test_list_videos.txt'
    expected = {400: 38685, 600: 72924}[version]
    names = test.read_text().splitlines()
    assert len(names) == len(set(names)) == expected
    first = {400: '--6bJUbfpnQ_000017_000027.mp4'}.get(version, names[0])
    assert names[0] == first


def test_real_k400_row(tmp_path, shared_data):
    path = shared_data / 'annotations/kinetics/kinetics-400_val.csv'
    row = next(kinetics.read_csv(path))
    assert row == ('val', '0wR5jVB-WPk_000417_000427.mp4', 'abseiling')


# ------------------------------------------------------------------ layouts
FLAT = {
    'train': [
        '-a0_12345_67_000003_000013.mp4',
        'bbbbbbbbbbb_000000_000010.mkv',
        'ccccccccccc_100_110.webm',
        'ddddddddddd_7_17.avi',
        'eeeeeeeeeee_9_19.mp4',
    ],
    'val': ['fffffffffff_000001_000011.mp4', 'ggggggggggg_2_12.mp4'],
}
FOLDERS = {
    'train': [
        'air drumming/-a0_12345_67_3_13.mp4',
        'air_drumming/bbbbbbbbbbb_000000_000010.mp4',
        'passing American football (not in game)/ccccccccccc_100_110.mp4',
        'zumba/ddddddddddd_000007_000017.mp4',
        "massaging person's head/eeeeeeeeeee_000009_000019.mp4",
    ],
    'val': [
        'zumba/fffffffffff_000001_000011.mp4',
        'air drumming/ggggggggggg_2_12.mp4',
    ],
}
LABELS = {'train': [0, 0, 2, 3, 1], 'val': [3, 0]}


@pytest.mark.parametrize('names', [FLAT, FOLDERS], ids=['flat', 'folders'])
@pytest.mark.parametrize('place', ['train', 'videos_train', 'together'])
def test_layouts(tmp_path, names, place):
    source = tmp_path / 'my videos'
    for split in names:
        folder = {'train': split, 'videos_train': f'videos_{split}'}
        touch(source / folder.get(place, '.'), *names[split])
    assert convert(tmp_path, '--videos', source) == 0
    for split in names:
        expected = [
            f'{name.replace(" ", "_")} {label}'
            for name, label in zip(names[split], LABELS[split], strict=True)
        ]
        assert read_out(tmp_path, split) == expected
        root = tmp_path / 'out' / f'videos_{split}'
        assert all((root / e.split(' ')[0]).is_file() for e in expected)
    # a second run finds its own links and changes nothing
    assert convert(tmp_path, '--videos', source) == 0
    assert convert(tmp_path) == 0
    assert read_out(tmp_path, split) == expected


def test_videos_in_place_need_no_links(tmp_path):
    for split, names in FLAT.items():
        touch(tmp_path / 'out' / f'videos_{split}', *names)
    assert convert(tmp_path) == 0
    root = tmp_path / 'out' / 'videos_train'
    assert sorted(p.name for p in root.iterdir()) == sorted(FLAT['train'])
    assert not any(p.is_symlink() for p in root.iterdir())


def test_blanks_in_place_get_a_link_beside(tmp_path):
    for split, names in FOLDERS.items():
        touch(tmp_path / 'out' / f'videos_{split}', *names)
    assert convert(tmp_path) == 0
    link = tmp_path / 'out' / 'videos_train/air_drumming/-a0_12345_67_3_13.mp4'
    assert link.is_symlink()
    first = read_out(tmp_path, 'train')
    assert first[0] == 'air_drumming/-a0_12345_67_3_13.mp4 0'
    assert convert(tmp_path) == 0 and read_out(tmp_path, 'train') == first


def test_the_usable_one_of_several_files(tmp_path):
    names = FLAT['train'] + FLAT['val']
    touch(tmp_path / 'v', *names)
    touch(tmp_path / 'v', 'ddddddddddd_000007_000017.mp4', content=b'')
    touch(tmp_path / 'v', 'zumba/fffffffffff_000001_000011.webm')
    assert convert(tmp_path, '--videos', tmp_path / 'v') == 0
    assert 'ddddddddddd_7_17.avi 3' in read_out(tmp_path, 'train')
    assert read_out(tmp_path, 'val')[0].startswith('zumba/')


# ----------------------------------------------------- what is left out
def test_missing_and_empty_are_reported(tmp_path, capsys):
    source = tmp_path / 'v'
    touch(source, *FLAT['train'][:3], *FLAT['val'])
    touch(source, FLAT['train'][4], content=b'')
    assert convert(tmp_path, '--videos', source) == 1
    got = report(tmp_path)['kinetics600_train_list_videos.txt']
    assert (got['annotated'], got['listed']) == (5, 3)
    assert got['left_out'] == {'missing': 1, 'empty': 1}
    assert got['classes_emptied'] == ["massaging person's head", 'zumba']
    assert got['per_class']['air drumming'] == [2, 2]
    assert got['per_class']['zumba'] == [0, 1]
    [missing] = got['clips_left_out']['missing']
    assert missing['clip'] == 'ddddddddddd_000007_000017.mp4'
    out = capsys.readouterr().out
    assert '2 of 4 classes have clips' in out
    text = (tmp_path / 'out' / 'kinetics600_report.txt').read_text()
    assert text in out
    assert convert(tmp_path, '--videos', source, '--allow-missing') == 0


def test_nothing_found_is_an_error(tmp_path):
    (tmp_path / 'v').mkdir()
    with pytest.raises(ToolError, match='none of the 5 clips.*missing'):
        convert(tmp_path, '--videos', tmp_path / 'v')
    assert not (tmp_path / 'out').exists()
    with pytest.raises(ToolError, match='video folder .*does not exist'):
        convert(tmp_path, '--videos', tmp_path / 'nowhere')


def test_one_id_twice(tmp_path):
    """By the time range, and of equal names that of the class folder."""
    csv = write_csv(
        tmp_path / 'k.csv', ROWS + '\nzumba,bbbbbbbbbbb,50,60,train'
    )
    source = tmp_path / 'v'
    touch(source, *FLAT['train'], *FLAT['val'])
    touch(source, 'a b/bbbbbbbbbbb_50_60.mp4', 'Zumba/bbbbbbbbbbb_50_60.mp4')
    assert convert(tmp_path, '--videos', source, csv=csv) == 0
    lines = read_out(tmp_path, 'train')
    assert 'Zumba/bbbbbbbbbbb_50_60.mp4 3' in lines
    assert 'bbbbbbbbbbb_000000_000010.mkv 0' in lines


# --------------------------------------------------------------- csv traps
def test_duplicates_conflicts_and_leaks(tmp_path):
    rows = ROWS + (
        '\nzumba,ddddddddddd,7,17,train'  # again
        '\nzumba,fffffffffff,1,11,train'  # a validation clip
        '\nzumba,bbbbbbbbbbb,0,10,train'  # another label
    )
    csv = write_csv(tmp_path / 'k.csv', rows)
    assert convert(tmp_path, '--no-check-videos', csv=csv) == 0
    got = report(tmp_path)['kinetics600_train_list_videos.txt']
    assert got['notes'] == {
        'duplicate rows ignored': 1,
        'clips that are val clips too ignored': 1,
        'clips with two labels ignored': 1,
    }
    assert got['listed'] == 4


def test_encodings_and_line_ends(tmp_path):
    text = f'{HEADER},is_cc\n\n'
    text += ''.join(f'{row},0\n' for row in ROWS.split('\n'))
    csv = tmp_path / 'k.csv'
    for data in (
        b'\xef\xbb\xbf' + text.encode(),
        text.replace('\n', '\r\n').encode(),
        text.upper().replace('ZUMBA', 'CAF\xc9').encode('latin-1'),
    ):
        csv.write_bytes(data)
        assert convert(tmp_path, '--no-check-videos', csv=csv) == 0
        assert len(read_out(tmp_path, 'train')) == 5
    names = (tmp_path / 'out' / 'label_map.txt').read_text().splitlines()
    assert names[1] == 'CAF\xc9'


def test_class_count_guards_the_index(tmp_path):
    with pytest.raises(ToolError, match='hold 4 classes, not 600'):
        convert(tmp_path, '--no-check-videos', '--num-classes', 600)
    label_map = tmp_path / 'map.txt'
    label_map.write_text('zumba\nair drumming\n')
    argv = ('--no-check-videos', '--label-map', label_map)
    with pytest.raises(ToolError, match='label .massaging .* is not in'):
        convert(tmp_path, *argv)
    label_map.write_text(
        "zumba\nair drumming\nmassaging person's head\nunused\n"
        'passing american football (not in game)\n'
    )
    assert convert(tmp_path, *argv, '--num-classes', 5) == 0
    assert read_out(tmp_path, 'val')[0].endswith('.mp4 0')


def test_test_file_without_labels(tmp_path):
    csv = tmp_path / 'test.csv'
    csv.write_text(
        'youtube_id,time_start,time_end,split\n--6bJUbfpnQ,17,27,test\n'
    )
    label_map = tmp_path / 'map.txt'
    label_map.write_text('a\nb\nc\nd\n')
    touch(tmp_path / 'v', '--6bJUbfpnQ_000017_000027.mp4')
    argv = ('--videos', tmp_path / 'v', '--label-map', label_map)
    assert convert(tmp_path, *argv, csv=csv) == 0
    assert read_out(tmp_path, 'test') == ['--6bJUbfpnQ_000017_000027.mp4']


# -------------------------------------------------------------- raw frames
def test_rawframes(tmp_path):
    names = [
        '-a0_12345_67_000003_000013',
        'air_drumming/bbbbbbbbbbb_000000_000010',
        'ccccccccccc_000100_000110',
        'ddddddddddd_000007_000017',
    ]
    frames = tmp_path / 'frames'
    for n, name in enumerate(names, 3):
        for i in range(1, n + 1):
            for axis in 'xy':
                touch(frames / 'train' / name, f'flow_{axis}_{i:05d}.jpg')
    (frames / 'train' / names[3] / 'flow_y_00002.jpg').unlink()
    touch(frames / 'val/fffffffffff_000001_000011', 'flow_x_00001.jpg')
    good = 'ggggggggggg_000002_000012'
    touch(frames / 'val' / good, 'flow_x_00001.jpg', 'flow_y_00001.jpg')
    code = convert(tmp_path, '--no-check-videos', '--rawframes', frames)
    assert code == 1
    assert read_out(tmp_path, 'train', 'rawframes') == [
        f'{names[0]} 3 0',
        f'{names[1]} 4 0',
        f'{names[2]} 5 2',
    ]
    assert read_out(tmp_path, 'val', 'rawframes') == [f'{good} 1 0']
    got = report(tmp_path)['kinetics600_train_list_rawframes.txt']
    assert got['left_out'] == {'unreadable': 1, 'missing': 1}
    [bad] = got['clips_left_out']['unreadable']
    assert bad['detail'] == f'{names[3]}: flow_y_00002.jpg is missing'
    link = tmp_path / 'out' / 'rawframes_train' / names[1]
    assert len(list(link.iterdir())) == 8


@pytest.mark.slow
def test_the_stock_data_sets_read_the_lists(tmp_path):
    from mmaction.datasets import RawframeDataset, VideoDataset

    source = tmp_path / 'v'
    touch(source, *FOLDERS['train'], *FOLDERS['val'])
    for name in ('fffffffffff_000001_000011', 'ggggggggggg_000002_000012'):
        touch(source, f'{name}/flow_x_00001.jpg', f'{name}/flow_y_00001.jpg')
    csv = write_csv(tmp_path / 'k.csv', '\n'.join(ROWS.split('\n')[-2:]))
    argv = ('--videos', source, '--rawframes', source, '--num-classes', 2)
    assert convert(tmp_path, *argv, csv=csv) == 0
    out = tmp_path / 'out'
    videos = VideoDataset(
        ann_file=str(out / 'kinetics600_val_list_videos.txt'),
        data_prefix={'video': str(out / 'videos_val')},
        pipeline=[],
    )
    info = videos.get_data_info(1)
    assert info['label'] == 0 and Path(info['filename']).is_file()
    frames = RawframeDataset(
        ann_file=str(out / 'kinetics600_val_list_rawframes.txt'),
        data_prefix={'img': str(out / 'rawframes_val')},
        filename_tmpl='flow_{}_{:05d}.jpg',
        modality='Flow',
        pipeline=[],
    )
    info = frames.get_data_info(0)
    assert (info['total_frames'], info['label']) == (1, 1)
    assert (Path(info['frame_dir']) / 'flow_x_00001.jpg').is_file()


# ------------------------------------------------------- as a command
def test_command_line(tmp_path, repo_root):
    script = repo_root / 'tools' / 'data' / 'kinetics.py'

    def run(*argv: object) -> subprocess.CompletedProcess:
        command = [sys.executable, str(script), *map(str, argv)]
        return subprocess.run(command, capture_output=True, text=True)

    shown = run('--help')
    assert shown.returncode == 0
    assert 'example:' in shown.stdout and 'exit code:' in shown.stdout
    wrong = run('--version', 400, '--csv', 'none.csv', '--out', tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr == (
        'error: csv file none.csv does not exist: check the path\n'
    )
