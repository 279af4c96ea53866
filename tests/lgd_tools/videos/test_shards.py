"""--shard: parts are disjoint, complete, stable; the whole takes them over."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lgd_tools.cli import ToolError
from lgd_tools.journal import Journal, Outcome, in_shard, shard_path
from lgd_tools.video import VideoFile, write_video
from lgd_tools.videos import check_videos, extract_flow
from lgd_tools.videos.command import parse_shard
from tests.lgd_tools.videos.numbered import picture


def clips(folder: Path, count: int, frames: int = 3) -> list[str]:
    names = [f'c{i % 2}/clip {i}.mp4' for i in range(count)]
    for i, name in enumerate(names):
        write_video(folder / name, [picture(i)] * frames)
    return names


def shards_of(names: list[str], parts: int) -> list[set[str]]:
    return [
        {name for name in names if in_shard(name, (i, parts))}
        for i in range(1, parts + 1)
    ]


def test_shards_are_disjoint_complete_and_stable():
    names = [f'class {i % 7}/v_{i}.mp4' for i in range(4000)]
    shards = shards_of(names, 8)
    assert sum(map(len, shards)) == len(set.union(*shards)) == 4000
    assert all(400 < len(shard) < 600 for shard in shards)
    # others come and go: nobody moves
    for old, new in zip(shards, shards_of(names[1000:], 8), strict=True):
        assert new == old & set(names[1000:])
    assert shards_of(['\udce9.mp4'], 1) == [{'\udce9.mp4'}]


def test_shard_argument():
    assert parse_shard('2/8') == (2, 8) and parse_shard('1/1') == (1, 1)
    for text in ('0/8', '9/8', '8', '1/2/3', 'a/b', '-1/2', ''):
        with pytest.raises(Exception, match='is not I/N'):
            parse_shard(text)
    assert shard_path(Path('a/.x.jsonl'), (2, 8)) == Path('a/.x.2of8.jsonl')


@pytest.mark.slow
def test_check_of_shards_is_that_of_the_whole(tmp_path, capsys):
    root, out = tmp_path / 'in', tmp_path / 'out'
    names = clips(root, 6)
    (root / 'zero.mp4').write_bytes(b'')
    argv = [str(root), '--out', str(out), '--workers', '1']
    codes = [
        check_videos.main([*argv, '--shard', f'{i}/3']) for i in (1, 2, 3)
    ]
    assert sorted(codes) == [0, 0, 1]
    rows = [
        line
        for i in (1, 2, 3)
        for line in (out / f'report.{i}of3.csv').read_text().split()[1:]
    ]
    assert sum('.mp4' in row for row in rows) == 7
    # the whole command takes the parts over and finds all done
    capsys.readouterr()
    assert check_videos.main(argv) == 1  # zero.mp4
    said = capsys.readouterr()
    assert '"videos": 7, "ok": 6, "bad": 1' in said.out
    assert 'zero.mp4: the file is empty' in said.err
    assert sorted(p.name for p in out.glob('*.jsonl')) == ['journal.jsonl']
    report = (out / 'report.csv').read_text()
    assert all(name in report for name in names)
    assert (out / 'bad.txt').read_text() == 'zero.mp4\n'
    # and so do parts that are shared out differently
    before = (out / 'journal.jsonl').read_text()
    for i in (1, 2):
        check_videos.main([*argv, '--shard', f'{i}/2'])
    assert (out / 'journal.jsonl').read_text() == before
    again = [(out / f'journal.{i}of2.jsonl').read_text() for i in (1, 2)]
    assert [json.loads(x)['key'] for x in again if x] == ['zero.mp4']


@pytest.mark.slow
def test_flow_of_shards(tmp_path, capsys):
    root, out = tmp_path / 'in', tmp_path / 'out'
    names = clips(root, 4)
    stems = [name.replace(' ', '_').removesuffix('.mp4') for name in names]
    # what others are writing now, and what a killed run left
    parts = {
        name: (out / stem).with_name(f'.{Path(stem).name}.000009.lgd-part')
        for name, stem in zip(names, stems, strict=True)
    }
    for part in parts.values():
        part.mkdir(parents=True)
    argv = [str(root), str(out), '--method', 'dis_ultrafast']
    argv += ['--short-side', '48', '--workers', '1']
    for i in (1, 2):
        assert extract_flow.main([*argv, '--shard', f'{i}/2']) == 0
        for name, part in parts.items():
            assert part.exists() == (i == 1 and in_shard(name, (2, 2)))
    lines = tmp_path / 'list.txt'
    capsys.readouterr()
    assert extract_flow.main([*argv, '--list-out', str(lines)]) == 0
    assert '4 of 4 videos are ready' in (said := capsys.readouterr().out)
    assert '(4 from before)' in said
    assert len(lines.read_text().splitlines()) == 4


@pytest.mark.slow
def test_one_of_three_processes_is_killed(tmp_path, repo_root):
    source, target = tmp_path / 'in', tmp_path / 'out'
    names = clips(source, 24, frames=100)
    script = str(repo_root / 'tools' / 'data' / 'resize_videos.py')

    def start(shard: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, script, str(source), str(target)]
            + ['--short-side', '100', '--preset', 'slower']
            + ['--workers', '1', '--shard', shard],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    runs = [start(f'{i}/3') for i in (1, 2, 3)]
    journal = target / '.resize_videos.2of3.jsonl'
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if journal.exists() and journal.read_text().count('\n'):
            break
        time.sleep(0.02)
    os.killpg(runs[1].pid, signal.SIGKILL)
    assert [run.wait(120) for run in runs] == [0, -9, 0]

    second = {name for name in names if in_shard(name, (2, 3))}
    done = {json.loads(s)['key'] for s in journal.read_text().splitlines()}
    assert done and done < second
    # the whole does what is missing, and removes what was left half-written
    run = subprocess.run(
        [sys.executable, script, str(source), str(target)]
        + ['--short-side', '100', '--preset', 'slower', '--workers', '1'],
        capture_output=True,
        text=True,
        check=True,
    )
    kept = 24 - len(second) + len(done)
    assert f'24 of 24 videos are ready in {target} ({kept} from' in run.stdout
    assert not list(target.rglob('.*.lgd-part'))
    for name in names:
        with VideoFile(target / name) as video:
            assert sum(1 for _ in video.decode()) == 100


def test_the_whole_waits_for_a_running_part(tmp_path):
    (root := tmp_path / 'in').mkdir()
    (root / 'x.mp4').touch()
    out = tmp_path / 'out'
    running = Journal(out / 'journal.1of2.jsonl')
    running.add(Outcome('x.mp4', 'done'))
    with pytest.raises(ToolError, match='another run is working'):
        check_videos.main([str(root), '--out', str(out)])
    running.file.close()
    assert running.path.exists()
