"""What all converters share: excluded, shared and missing clips."""

import json
import os
from pathlib import Path

import pytest

from lgd_tools.cli import ToolError
from lgd_tools.jobs import Outcome, Report
from lgd_tools.lists import folder, kinetics, ucf101
from lgd_tools.lists.clip_list import ClipList
from lgd_tools.lists.clips import Clip
from lgd_tools.videos.check_videos import write_report

CSV = """\
label,youtube_id,time_start,time_end,split
a b,aaaaaaaaaaa,0,10,train
a b,bbbbbbbbbbb,0,10,train
zumba,bbbbbbbbbbb,50,60,train
zumba,ccccccccccc,7,17,train
zumba,ddddddddddd,1,11,val
a b,eeeeeeeeeee,2,12,val"""
TRAIN = ('Biking/v_Biking_g08_c01', 'YoYo/v_YoYo_g09_c01')
TEST = ('Biking/v_Biking_g01_c01', 'YoYo/v_YoYo_g01_c01')


def touch(root: Path, *names: str, content: bytes = b'x') -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def flow(root: Path, name: str, count: int) -> None:
    for i in range(1, count + 1):
        touch(root / name, *(f'flow_{a}_{i:05d}.jpg' for a in 'xy'))


def k600(tmp_path: Path, *more: object) -> int:
    (tmp_path / 'k.csv').write_text(CSV)
    argv = ['--version', 600, '--csv', tmp_path / 'k.csv']
    argv += ['--out', tmp_path / 'out', '--num-classes', 2, *more]
    return kinetics.main([str(a) for a in argv])


def ucf(tmp_path: Path, *more: object, test: tuple[str, ...] = TEST) -> int:
    ann = tmp_path / 'ann'
    ann.mkdir(exist_ok=True)
    (ann / 'classInd.txt').write_text('1 Biking\n2 YoYo\n')
    train = [f'{name}.avi {i}' for i, name in enumerate(TRAIN, 1)]
    (ann / 'trainlist01.txt').write_text('\n'.join(train))
    (ann / 'testlist01.txt').write_text('\n'.join(f'{n}.avi' for n in test))
    argv = ['--annotations', ann, '--out', tmp_path / 'out', '--splits', 1]
    argv += ['--num-classes', 2, *more]
    return ucf101.main([str(a) for a in argv])


def lines(tmp_path: Path, name: str) -> list[str]:
    return (tmp_path / 'out' / f'{name}.txt').read_text().splitlines()


def report(tmp_path: Path, prefix: str = 'kinetics600') -> dict:
    path = tmp_path / 'out' / f'{prefix}_report.json'
    return json.loads(path.read_text())


# ------------------------------------------------------------------ excluded
@pytest.mark.parametrize(
    'name',
    [
        'Biking/v_Biking_g08_c01.avi',
        './Biking/v_Biking_g08_c01.mp4',
        'Biking/v_Biking_g08_c01',
    ],
)
def test_excluded_clips(tmp_path, name, capsys):
    touch(tmp_path / 'UCF-101', *(f'{n}.avi' for n in (*TRAIN, *TEST)))
    for n in (*TRAIN, *TEST):
        flow(tmp_path / 'f', n, 3)
    bad = tmp_path / 'bad.txt'
    bad.write_text(f'{name}\r\n\r\nBiking/none.avi\r\n')
    argv = ('--videos', tmp_path / 'UCF-101', '--rawframes', tmp_path / 'f')
    assert ucf(tmp_path, *argv, '--exclude', bad) == 0
    for kind, suffix in (('videos', '.avi'), ('rawframes', ' 3')):
        got = lines(tmp_path, f'ucf101_train_split_1_{kind}')
        assert got == [f'{TRAIN[1]}{suffix} 1']
        got = lines(tmp_path, f'ucf101_val_split_1_{kind}')
        assert len(got) == 2
    captured = capsys.readouterr()
    assert '1 names of --exclude match no clip: Biking/none' in captured.err
    assert 'excluded' in captured.out
    data = report(tmp_path, 'ucf101')
    assert data['excluded_names_without_clip'] == ['Biking/none.avi']
    got = data['lists']['ucf101_train_split_1_videos.txt']
    assert (got['annotated'], got['listed']) == (2, 1)
    assert got['left_out'] == {'excluded': 1}
    [item] = got['clips_left_out']['excluded']
    assert item['clip'] == f'{TRAIN[0]}.avi'


def test_excluded_files_are_not_looked_at(tmp_path):
    touch(tmp_path / 'v', *(f'{n}.mp4' for n in TRAIN + TEST))
    touch(tmp_path / 'v', f'{TRAIN[0]}.mp4', content=b'')
    argv = ('--videos', tmp_path / 'v')
    assert ucf(tmp_path, *argv) == 1
    (tmp_path / 'bad.txt').write_text(f'{TRAIN[0]}.mp4\n')
    assert ucf(tmp_path, *argv, '--exclude', tmp_path / 'bad.txt') == 0
    with pytest.raises(ToolError, match=r'excluded videos .* does not exist'):
        ucf(tmp_path, *argv, '--exclude', tmp_path / 'none.txt')


def test_excluded_kinetics_clips(tmp_path):
    train = ('a b/aaaaaaaaaaa_0_10.mp4', 'ccccccccccc_7_17.mkv')
    touch(tmp_path / 'v/train', *train, 'a b/bbbbbbbbbbb_0_10.mp4')
    touch(tmp_path / 'v/train', 'zumba/bbbbbbbbbbb_000050_000060.mp4')
    touch(tmp_path / 'v/val', 'ddddddddddd_1_11.mp4', 'eeeeeeeeeee_2_12.mp4')
    one, two = tmp_path / 'train.txt', tmp_path / 'val.txt'
    # as check_videos names them in the links, and by the official name
    one.write_text('a_b/aaaaaaaaaaa_0_10.mp4\nccccccccccc_7_17.mkv\n')
    two.write_text('ddddddddddd_1_11.mp4\nbbbbbbbbbbb_000050_000060.mp4\n')
    argv = ('--videos', tmp_path / 'v', '--exclude', one, two)
    assert k600(tmp_path, *argv) == 0
    got = lines(tmp_path, 'kinetics600_train_list_videos')
    assert got == ['a_b/bbbbbbbbbbb_0_10.mp4 0']
    got = lines(tmp_path, 'kinetics600_val_list_videos')
    assert got == ['eeeeeeeeeee_2_12.mp4 0']
    assert report(tmp_path)['excluded_names_without_clip'] == []
    # without looking for videos: official names
    two.write_text('zumba/bbbbbbbbbbb_000050_000060.mp4\n')
    assert k600(tmp_path, '--no-check-videos', '--exclude', two) == 0
    assert lines(tmp_path, 'kinetics600_train_list_videos') == [
        'aaaaaaaaaaa_000000_000010.mp4 0',
        'bbbbbbbbbbb_000000_000010.mp4 0',
        'ccccccccccc_000007_000017.mp4 1',
    ]


# ------------------------------------------------------------------ odd bytes
def test_check_videos_to_exclude_with_a_name_that_is_not_utf8(
    tmp_path, capsys
):
    odd = os.fsdecode(b'caf\xe9.mp4')
    names = [f'{c}/{n}' for c in 'ab' for n in ('1.mp4', '2.mp4', odd)]
    touch(tmp_path / 'v', *names)
    bad = [
        Outcome(key=f'a/{odd}', status='failed', error=f'{odd}: no'),
    ]
    write_report(tmp_path / 'check', Report(outcomes=bad))
    err = capsys.readouterr().err
    assert 'not UTF-8' in err and r'a/caf\udce9.mp4' in err
    path = tmp_path / 'check' / 'bad.txt'
    assert path.read_text() == 'a/caf\\udce9.mp4\n'
    argv = ['--videos', tmp_path / 'v', '--out', tmp_path / 'out']
    argv += ['--exclude', path]
    assert folder.main([str(a) for a in argv]) == 0
    listed = [
        line.split()[0]
        for split in ('train', 'val')
        for line in lines(tmp_path, f'out_{split}_list_videos')
    ]
    assert sorted(listed) == ['a/1.mp4', 'a/2.mp4'] + [
        f'b/{n}' for n in ('1.mp4', '2.mp4', 'caf_.mp4')
    ]
    assert (tmp_path / 'out' / 'videos' / 'b' / 'caf_.mp4').is_file()
    captured = capsys.readouterr()
    assert 'UTF-8' not in captured.err  # no list or report needed escapes
    assert report(tmp_path, 'out')['excluded_names_without_clip'] == []


def test_report_of_odd_class_names(tmp_path, capsys):
    odd = os.fsdecode(b'caf\xe9')
    touch(tmp_path / 'v', *(f'{c}/{i}.mp4' for c in ('b', odd) for i in '12'))
    argv = ['--videos', str(tmp_path / 'v'), '--out', str(tmp_path / 'out')]
    assert folder.main(argv) == 0
    counts = report(tmp_path, 'out')['lists']['all videos']['per_class']
    assert counts == {'b': [2, 2], odd: [2, 2]}
    text = (tmp_path / 'out' / 'out_report.txt').read_text()
    assert text in capsys.readouterr().out


def test_emptied_classes():
    clips = [
        Clip('x', 0, 'a', problem='missing', detail='why'),
        Clip('y', 1, 'b'),
        Clip('z', 1, 'b', problem='empty'),
    ]
    told = ClipList('t', 'videos', clips).summary()
    assert (told['annotated'], told['listed']) == (3, 1)
    assert told['left_out'] == {'missing': 1, 'empty': 1}
    assert told['classes_emptied'] == ['a']
    assert told['clips_left_out']['missing'] == [
        {'clip': 'x', 'detail': 'why'}
    ]
