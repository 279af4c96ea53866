"""HMDB51 split files -> lists: real files, odd names, every trap."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lgd_tools.cli import ToolError, read_list
from lgd_tools.lists import hmdb51

ODD = [
    '#1_of_(Nick)_&_co!_wave_f_cm_np1_ri_med_0.avi',
    'Geena___;-)_[x]_wave_f_cm_np1_fr_med_2.avi',
    'Plain_wave_f_cm_np1_fr_med_2.avi',
    'Unused_wave_f_cm_np1_fr_med_2.avi',
]
WAVE = ''.join(f'{n} {c} \n' for n, c in zip(ODD, '1120', strict=True))
CLAP = 'a_clap_u_nm_np1_fr_med_0.avi 1 \nb_clap_u_nm_np1_fr_med_0.avi 2 \n'


def annotate(folder: Path, wave: bytes = WAVE.encode()) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split in (1, 2, 3):
        (folder / f'wave_test_split{split}.txt').write_bytes(wave)
        (folder / f'clap_test_split{split}.txt').write_text(CLAP)
    return folder


def convert(tmp_path: Path, *more: object) -> int:
    argv = ['--annotations', tmp_path / 'ann', '--out', tmp_path / 'out']
    argv += ['--num-classes', 2, *more]
    return hmdb51.main([str(a) for a in argv])


def lines(tmp_path: Path, name: str) -> list[str]:
    path = tmp_path / 'out' / f'hmdb51_{name}.txt'
    return path.read_text().splitlines()


def make_videos(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b'x')


def test_real_files(tmp_path, shared_data):
    folder = shared_data / 'annotations'
    argv = ['--annotations', folder / 'hmdb51', '--no-check-videos']
    assert hmdb51.main([str(a) for a in (*argv, '--out', tmp_path)]) == 0
    label_map = folder / 'label_maps' / 'label_map_hmdb51.txt'
    assert (tmp_path / 'label_map.txt').read_text() == label_map.read_text()
    names = label_map.read_text().split()
    path = tmp_path / 'hmdb51_report.json'
    report = json.loads(path.read_text())['lists']
    for split in (1, 2, 3):
        paths = []
        for subset, count, each in (('train', 3570, 70), ('val', 1530, 30)):
            name = f'hmdb51_{subset}_split_{split}_videos.txt'
            rows = read_list(tmp_path / name)
            assert len(rows) == count
            assert all(p.split('/')[0] == names[i] for p, [i] in rows)
            got = report[name]
            assert set(map(tuple, got['per_class'].values())) == {(each, each)}
            paths.append({p for p, _ in rows})
        assert not paths[0] & paths[1]


@pytest.mark.slow
def test_real_odd_names_are_linked(tmp_path, shared_data):
    folder = shared_data / 'annotations' / 'hmdb51'
    _, clips = hmdb51.read(folder, 51, [1])
    train, val = (
        [c for c in clips[f'{s}_split_1'] if c.startswith('cartwheel/')]
        for s in ('train', 'val')
    )
    names = train + val
    assert len(names) == 100
    assert any('(' in n for n in names) and any(';-)' in n for n in names)
    make_videos(tmp_path / 'v', *names)
    # the other classes have one clip each, which is missing here
    argv = ['--annotations', folder, '--videos', tmp_path / 'v']
    argv += ['--out', tmp_path / 'out', '--splits', 1]
    assert hmdb51.main([str(a) for a in argv]) == 1
    got = read_list(tmp_path / 'out' / 'hmdb51_train_split_1_videos.txt')
    assert got == [(name, [1]) for name in train]
    assert all((tmp_path / 'out/videos' / name).is_file() for name, _ in got)


@pytest.mark.parametrize('layout', ['folders', 'flat', 'nested'])
def test_odd_names(tmp_path, layout):
    annotate(tmp_path / 'ann' / 'testTrainMulti_7030_splits')
    # the archive of a class may unpack into a folder of the same name
    prefix = {'folders': '{}/', 'flat': '', 'nested': '{0}/{0}/'}[layout]
    wave = [prefix.format('wave') + n for n in ODD[:3]]
    clap = [prefix.format('clap') + n.split(' ')[0] for n in CLAP.split('\n')]
    make_videos(tmp_path / 'v', *wave, *clap[:2])
    assert convert(tmp_path, '--videos', tmp_path / 'v') == 0
    for split in (1, 2, 3):
        got = lines(tmp_path, f'train_split_{split}_videos')
        assert got == [f'{clap[0]} 0', f'{wave[0]} 1', f'{wave[1]} 1']
        got = lines(tmp_path, f'val_split_{split}_videos')
        assert got == [f'{clap[1]} 0', f'{wave[2]} 1']


def test_encodings_duplicates_and_blanks(tmp_path):
    text = f'caf\xe9 1 wave.avi 1 \r\n\r\nwave/{ODD[2]} 2\r\n{ODD[2]} 2\r\n'
    annotate(tmp_path / 'ann', text.encode('latin-1'))
    assert convert(tmp_path, '--no-check-videos') == 0
    got = lines(tmp_path, 'train_split_1_videos')
    assert got[1] == 'wave/caf\xe9_1_wave.avi 1'
    assert lines(tmp_path, 'val_split_1_videos')[1] == f'wave/{ODD[2]} 1'
    make_videos(tmp_path / 'v/wave', 'caf\xe9 1 wave.avi', ODD[2])
    clap = [line.split(' ')[0] for line in CLAP.splitlines()]
    make_videos(tmp_path / 'v', *clap)
    assert convert(tmp_path, '--videos', tmp_path / 'v') == 0
    listed = lines(tmp_path, 'train_split_1_videos')[1]
    assert listed == 'wave/caf\xe9_1_wave.avi 1'
    assert (tmp_path / 'out' / 'videos' / listed[:-2]).is_file()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a.avi 1\n\nb.avi 3', r':3: .*code 0, 1 or 2'),
        ('a.avi', r':1: expected `clip\.avi code`'),
        ('a.avi train', r':1: expected'),
        ('../a.avi 1', r':1: expected'),
        ('clap/a.avi 1', r':1: expected'),
    ],
)
def test_wrong_lines_name_the_line(tmp_path, text, message):
    annotate(tmp_path / 'ann', text.encode())
    with pytest.raises(ToolError, match=r'wave_test_split1\.txt' + message):
        convert(tmp_path, '--no-check-videos')
    assert not (tmp_path / 'out').exists()


def test_missing_files(tmp_path):
    folder = annotate(tmp_path / 'ann')
    with pytest.raises(ToolError, match='holds 2 classes, not 51'):
        convert(tmp_path, '--num-classes', 51)
    (folder / 'clap_test_split3.txt').unlink()
    with pytest.raises(ToolError, match=r'clap_test_split3\.txt is missing'):
        convert(tmp_path, '--no-check-videos')
    assert convert(tmp_path, '--no-check-videos', '--splits', 1, 2) == 0
    (tmp_path / 'none').mkdir()
    with pytest.raises(ToolError, match=r'no files \*\.txt in'):
        convert(tmp_path, '--annotations', tmp_path / 'none')


@given(
    st.lists(
        st.sampled_from([*' \t\r\n\\/.0123\xe9!#&(', 'a.avi 1 \n']),
        max_size=30,
    ).map(''.join)
)
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_fuzz_split_file(tmp_path, text):
    path = tmp_path / 'wave_test_split1.txt'
    path.write_bytes(text.encode('latin-1'))
    try:
        _, clips = hmdb51.read(tmp_path, 1, [1])
    except ToolError as error:
        assert 'wave_test_split1.txt:' in str(error)
    else:
        names = [name for items in clips.values() for name in items]
        assert all(name.startswith('wave/') for name in names)
