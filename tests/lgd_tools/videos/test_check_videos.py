"""tools/data/check_videos.py on real, generated and broken videos."""

import csv
import json
import shutil

import numpy as np
import pytest

from lgd_tools.cli import ToolError
from lgd_tools.jobs import JobError
from lgd_tools.video import write_video
from lgd_tools.videos import check_videos
from lgd_tools.videos.check_videos import check_one, main, portions

ODD = 'a b #&(!)/clip #1 (x)!.mp4'
OPTIONS = dict(frames=8, all=False, min_frames=1)


def moving(frames=12, size=(48, 64)):
    rng = np.random.default_rng(0)
    still = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
    return np.stack([np.roll(still, 2 * i, axis=1) for i in range(frames)])


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp('videos')
    whole = write_video(root / 'good.mp4', moving())
    write_video(root / ODD, moving(5))
    data = whole.read_bytes()
    (root / 'truncated.mp4').write_bytes(data[: len(data) // 2])
    (root / 'zero.mp4').write_bytes(b'')
    (root / 'text.mp4').write_bytes(b'<html>404 not found</html>')
    (root / '.hidden.mp4.part').write_bytes(b'x')
    (root / 'notes.txt').write_text('not looked at')
    return root


def rows_of(out):
    with open(out / 'report.csv', newline='', encoding='utf-8') as file:
        return {row['name']: row for row in csv.DictReader(file)}


def test_first_and_last_frames_are_read():
    def read(total, frames, every=False):
        parts = portions(total, dict(frames=frames, all=every))
        assert all(len(part) <= 32 for part in parts)
        return [int(i) for part in parts for i in part]

    assert read(100, 4) == [0, 33, 66, 99]
    assert read(3, 8) == [0, 1, 2]
    assert read(1, 8) == read(9, 1) == [0]
    assert read(100, 8, every=True) == list(range(100))


def test_lists_the_bad_with_the_reason(videos, tmp_path, capsys):
    out = tmp_path / 'out'
    argv = [str(videos), '--out', str(out), '--workers', '1']
    assert main(argv) == 1
    summary = json.loads((out / 'summary.json').read_text())
    assert summary == dict(videos=5, ok=2, bad=3, failed=3)
    bad = (out / 'bad.txt').read_text().splitlines()
    assert bad == ['text.mp4', 'truncated.mp4', 'zero.mp4']
    rows = rows_of(out)
    good = rows['good.mp4']
    assert (good['status'], good['frames'], good['fps']) == (
        'ok',
        '12',
        '25.0',
    )
    assert (good['width'], good['height']) == ('64', '48')
    assert rows[ODD]['frames'] == '5'
    assert rows['zero.mp4']['reason'] == 'the file is empty (zero bytes)'
    assert 'not a video' in rows['text.mp4']['reason']
    assert 'not a video' in rows['truncated.mp4']['reason']
    assert 'zero.mp4: the file is empty' in capsys.readouterr().err

    # a second run reads the bad ones again, and says the same
    read = []
    original = check_videos.run_jobs

    def spy(function, jobs, **options):
        report = original(function, jobs, **options)
        read.append(len(jobs) - report.skipped)
        return report

    check_videos.run_jobs = spy
    try:
        assert main(argv) == 1
    finally:
        check_videos.run_jobs = original
    assert read == [3]
    assert rows_of(out) == rows


def test_list_checks_only_its_videos(videos, tmp_path):
    lines = tmp_path / 'list.txt'
    # CRLF, a repeated row, a name with spaces
    lines.write_bytes(f'good.mp4 0\r\n{ODD} 1\r\ngood.mp4 0\r\n'.encode())
    out = tmp_path / 'out'
    argv = [str(videos), '--list', str(lines), '--out', str(out)]
    assert main([*argv, '--workers', '1', '--all']) == 0
    assert list(rows_of(out)) == ['good.mp4', ODD]
    assert (out / 'bad.txt').read_text() == ''


def test_missing_and_short_videos(videos, tmp_path):
    with pytest.raises(JobError, match='does not exist'):
        check_one(videos / 'gone.mp4', OPTIONS)
    options = dict(OPTIONS, min_frames=6)
    assert check_one(videos / 'good.mp4', options)['frames'] == 12
    with pytest.raises(JobError, match='too short: 5 frames, wanted 6'):
        check_one(videos / ODD, options)


def test_wrong_input_is_a_tool_error(tmp_path):
    out = ['--out', str(tmp_path / 'out')]
    with pytest.raises(ToolError, match='gone does not exist'):
        main([str(tmp_path / 'gone'), *out])
    with pytest.raises(ToolError, match='no videos in'):
        main([str(tmp_path), *out])
    with pytest.raises(SystemExit) as error:
        main([])
    assert error.value.code == 2


@pytest.mark.slow
def test_real_clips(shared_data, tmp_path):
    """All seven decode; truncated real ones are bad."""
    root = tmp_path / 'in'
    shutil.copytree(shared_data / 'smoke', root)
    cut = (root / 'test.avi').read_bytes()
    (root / 'cut.avi').write_bytes(cut[: len(cut) // 2])
    cut = (root / 'flipping_a_pancake.mkv').read_bytes()
    (root / 'cut.mkv').write_bytes(cut[: len(cut) // 2])
    out = tmp_path / 'out'
    argv = [str(root), '--out', str(out), '--workers', '2', '--all']
    assert main(argv) == 1
    bad = (out / 'bad.txt').read_text().splitlines()
    assert bad == ['cut.avi', 'cut.mkv']
    rows = rows_of(out)
    frames = {n: int(r['frames'] or 0) for n, r in rows.items()}
    assert frames['demo.mp4'] == 280 and frames['test.avi'] == 164
    assert frames['flipping_a_pancake.mkv'] == 310
    assert rows['cut.avi']['status'] in ('crashed', 'failed')
    reason = rows['cut.mkv']['reason']
    assert reason == 'truncated: the pictures end at 5.0 s of 10.4 s'
