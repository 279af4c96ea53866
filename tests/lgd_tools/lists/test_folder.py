"""Own folders of videos: the split is exact, seeded and leaks nothing."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgd_tools.cli import ToolError, read_list
from lgd_tools.lists import folder, grouping

UCF101 = r'(.*_g[0-9]+)_c[0-9]+'


def make(root: Path, names: list[str], content: bytes | None = None) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        data = name.encode() if content is None else content
        (root / name).write_bytes(data)


def ucf_names(classes: int = 3, groups: int = 10, clips: int = 4) -> list:
    return [
        f'C{c}/v_C{c}_g{g:02d}_c{k:02d}.avi'
        for c in range(classes)
        for g in range(groups)
        for k in range(clips)
    ]


def convert(tmp_path: Path, *more: object, out: str = 'mine') -> int:
    argv = ['--videos', tmp_path / 'v', '--out', tmp_path / out, *more]
    return folder.main([str(a) for a in argv])


def split(tmp_path: Path, out: str = 'mine') -> tuple[list, list]:
    train, val = (
        read_list(tmp_path / out / f'{out}_{s}_list_videos.txt')
        for s in ('train', 'val')
    )
    return train, val


def group(name: str) -> str:
    return name.rsplit('_c', 1)[0]


# ------------------------------------------------------------------ the split
def test_groups_never_straddle(tmp_path):
    names = ucf_names()
    make(tmp_path / 'v', names)
    assert convert(tmp_path, '--group', UCF101) == 0
    train, val = split(tmp_path)
    assert sorted(n for n, _ in train + val) == sorted(names)
    assert not {group(n) for n, _ in train} & {group(n) for n, _ in val}
    # 10 groups of 4 clips a class: exactly 2 groups are a fifth
    assert Counter(label for _, [label] in val) == {0: 8, 1: 8, 2: 8}
    assert all(name.startswith(f'C{label}/') for name, [label] in train)
    labels = (tmp_path / 'mine' / 'label_map.txt').read_text()
    assert labels == 'C0\nC1\nC2\n'


def test_seed(tmp_path):
    make(tmp_path / 'v', ucf_names())
    for out, seed in (('a', 1), ('b', 1), ('c', 2)):
        convert(tmp_path, '--group', UCF101, '--seed', seed, out=out)
    assert split(tmp_path, 'a') == split(tmp_path, 'b')
    assert split(tmp_path, 'a') != split(tmp_path, 'c')


def test_every_clip_by_itself(tmp_path):
    make(tmp_path / 'v', [f'{c}/x{c}{i}.mp4' for c in 'ab' for i in range(10)])
    assert convert(tmp_path, '--val-fraction', 0.3) == 0
    _, val = split(tmp_path)
    assert Counter(label for _, [label] in val) == {0: 3, 1: 3}


def test_one_recording_in_two_classes_stays_together(tmp_path):
    names = [
        f'{c}/id{i:09d}_{t:06d}_{t + 10:06d}.mp4'
        for c in ('run', 'walk')
        for i in range(8)
        for t in (0, 50)
    ]
    make(tmp_path / 'v', names)
    assert convert(tmp_path, '--group', r'(.+)_[0-9]+_[0-9]+') == 0
    ids = [{n.split('/')[1][:11] for n, _ in s} for s in split(tmp_path)]
    assert not ids[0] & ids[1]
    assert len(ids[0]) + len(ids[1]) == 8


def brute_force_ok(labels: list, keys: list, is_val: list) -> None:
    sides: dict = {}
    for key, val in zip(keys, is_val, strict=True):
        assert sides.setdefault(key, val) == val
    for label in set(labels):
        mine = [i for i, x in enumerate(labels) if x == label]
        own = {keys[i] for i in mine}
        pure = all(labels[i] == label for i, k in enumerate(keys) if k in own)
        if len(own) > 1 and pure:
            assert {is_val[i] for i in mine} == {True, False}


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 9)),
        min_size=2,
        max_size=60,
    ),
    st.floats(0.01, 0.99),
    st.integers(0, 5),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_split_properties(items, fraction, seed, shared):
    labels = [label for label, _ in items]
    keys = [f'{g}' if shared else f'{label}-{g}' for label, g in items]
    is_val = grouping.split_groups(labels, keys, fraction, seed)
    brute_force_ok(labels, keys, is_val)
    # the order of the clips does not matter
    order = list(range(len(items)))
    random.Random(0).shuffle(order)
    again = grouping.split_groups(
        [labels[i] for i in order], [keys[i] for i in order], fraction, seed
    )
    assert again == [is_val[i] for i in order]


def test_single_clips_hit_the_fraction_exactly():
    labels = [0] * 50 + [1] * 30
    keys = [str(i) for i in range(80)]
    is_val = grouping.split_groups(labels, keys, 0.1, 0)
    assert sum(is_val[:50]) == 5 and sum(is_val[50:]) == 3


def test_class_of_one_group_is_told(tmp_path, capsys):
    make(tmp_path / 'v', [*ucf_names(2), 'Z/v_Z_g01_c01.avi'])
    assert convert(tmp_path, '--group', UCF101) == 0
    assert 'class Z has no val clips' in capsys.readouterr().err


# -------------------------------------------------------------------- groups
def test_pattern_that_matches_some_or_none(tmp_path, capsys):
    make(tmp_path / 'v', [*ucf_names(2), 'C0/holiday.avi'])
    assert convert(tmp_path, '--group', r'^(v_C\d_g\d+)') == 0
    assert 'does not match 1 of 81 clips' in capsys.readouterr().err
    with pytest.raises(ToolError, match="'cam' matches no file name"):
        convert(tmp_path, '--group', 'cam')
    with pytest.raises(SystemExit) as stop:
        convert(tmp_path, '--group', '(')
    assert stop.value.code == 2
    assert 'not a regular expression' in capsys.readouterr().err


# ------------------------------------------------------------- what is there
def test_unusable_clips_go_before_the_split(tmp_path, capsys):
    make(tmp_path / 'v', ucf_names(2))
    make(tmp_path / 'v', ['C0/empty.mp4', 'C1/v_C1_g00_c00.avi'], b'')
    (tmp_path / 'v' / 'nothing').mkdir()
    make(tmp_path / 'v', ['stray.mp4', 'C0/readme.txt'])
    assert convert(tmp_path, '--name', 'set') == 1
    captured = capsys.readouterr()
    assert 'stray.mp4 is in no class folder' in captured.err
    assert 'nothing holds no videos' in captured.err
    data = json.loads((tmp_path / 'mine' / 'set_report.json').read_text())
    got = data['lists']['all videos']
    assert (got['annotated'], got['listed']) == (81, 79)
    assert got['left_out'] == {'empty': 2}
    lists = ('set_train_list_videos.txt', 'set_val_list_videos.txt')
    assert sum(data['lists'][name]['listed'] for name in lists) == 79


def test_blanks_deep_folders_and_odd_names(tmp_path):
    names = [
        f'{c}/day {d}/#{i} (x)&.mp4'
        for c in ('air drum', 'b')
        for d in (1, 2)
        for i in range(5)
    ]
    make(tmp_path / 'v', names)
    assert convert(tmp_path) == 0
    train, val = split(tmp_path)
    listed = sorted(name for name, _ in train + val)
    assert listed == sorted(name.replace(' ', '_') for name in names)
    assert all((tmp_path / 'mine/videos' / name).is_file() for name in listed)
    labels = (tmp_path / 'mine' / 'label_map.txt').read_text()
    assert labels == 'air drum\nb\n'
    make(tmp_path / 'v', ['b/day_1/#0 (x)&.mp4'])
    with pytest.raises(ToolError, match='would both be linked as'):
        convert(tmp_path)


def test_rawframes(tmp_path):
    names = ucf_names(2, 5, 1)
    make(tmp_path / 'v', names)
    for name in names:
        stem = name.removesuffix('.avi')
        flows = [f'flow_{a}_{i:05d}.jpg' for a in 'xy' for i in (1, 2, 3)]
        make(tmp_path / 'f', [f'{stem}/{flow}' for flow in flows])
    assert convert(tmp_path, '--rawframes', tmp_path / 'f') == 0
    path = tmp_path / 'mine' / 'mine_val_list_rawframes.txt'
    rows = read_list(path, fields=2)
    assert [numbers for _, numbers in rows] == [[3, 0], [3, 1]]


def test_wrong_folders(tmp_path, capsys):
    with pytest.raises(ToolError, match='video folder .* does not exist'):
        convert(tmp_path)
    make(tmp_path / 'v', ['a/x.mp4'])
    with pytest.raises(ToolError, match='holds 1 class folders'):
        convert(tmp_path)
    make(tmp_path / 'v', ['a/x.mp4', 'b/y.mp4'], b'')
    with pytest.raises(ToolError, match='none of the 2 clips'):
        convert(tmp_path)
    for argv in (('--val-fraction', 1), ('--no-check-videos',)):
        with pytest.raises(SystemExit) as stop:
            convert(tmp_path, *argv)
        assert stop.value.code == 2
    assert not (tmp_path / 'mine').exists()
