"""Clips as files: repeatable, decodable, laid out, resumable; bad input."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import decord
import numpy as np
import pytest

from lgd_tools.cli import ToolError
from lgd_tools.synthetic.generate_clips import (
    CLASSES,
    clip_seed,
    main,
)
from lgd_tools.synthetic.motion import render_motion
from lgd_tools.video import write_video

SMALL = {'size': (32, 64), 'frames': 4}


def generate(out, classes, train, val, *more, size=(32, 64), frames=4):
    argv = ['--out', out, '--classes', *classes, '--workers', 1]
    argv += ['--train-per-class', train, '--val-per-class', val]
    argv += ['--size', f'{size[1]}x{size[0]}', '--frames', frames, *more]
    return main([str(word) for word in argv])


def decode(path):
    return decord.VideoReader(str(path))[:].asnumpy()


def psnr(a, b):
    """Of the luma, in dB; colours are stored at half the resolution."""
    error = (a.astype(float) - b) @ [0.299, 0.587, 0.114]
    return 10 * np.log10(255**2 / np.mean(error**2))


# -------------------------------------------------------------------- one clip
@pytest.mark.parametrize('size', [(112, 112), (64, 96), (97, 61)])
def test_equal_seed_equal_frames(size):
    clips = [render_motion('up', size, frames=5, seed=s) for s in (3, 3)]
    assert clips[0].shape == (5, *size, 3)
    assert clips[0].dtype == np.uint8
    assert np.array_equal(*clips)
    other = render_motion('up', size, frames=5, seed=4)
    assert np.abs(clips[0].astype(int) - other).mean() > 3


def test_equal_seed_equal_frames_in_another_process():
    code = (
        'import zlib; from lgd_tools.synthetic import motion as m;'
        "print(zlib.crc32(m.render_motion('left', (40, 40), 4, 9)))"
    )
    printed = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    here = render_motion('left', (40, 40), 4, 9)
    assert int(printed) == zlib.crc32(here)


def test_contrast_does_not_fade():
    # The layers' weights keep the contrast at every zoom.
    for label in ('approaching', 'receding'):
        deviation = np.mean(
            [
                render_motion(label, (64, 64), 17, seed).std((1, 2, 3))
                for seed in range(20)
            ],
            axis=0,
        )
        assert deviation.min() > 30
        assert np.ptp(deviation) < 0.15 * deviation.mean()


def test_seeds_never_meet():
    seeds = {
        clip_seed(s, split, i)
        for s in range(3)
        for split in ('train', 'val')
        for i in (0, 1, 2, 2**31 - 1)
    }
    assert len(seeds) == 3 * 2 * 4


def test_written_video_decodes_to_the_frames(tmp_path):
    clip = render_motion('up', size=(96, 128), frames=20, seed=5)
    path = write_video(tmp_path / 'new' / 'clip.mp4', clip, fps=12.5)
    reader = decord.VideoReader(str(path))
    assert len(reader) == 20
    assert reader.get_avg_fps() == pytest.approx(12.5)
    decoded = reader[:].asnumpy()
    assert decoded.shape == clip.shape
    assert psnr(decoded, clip) > 39
    assert np.abs(decoded.astype(int) - clip).mean() < 6  # colours
    # The quality is a choice.
    rough = write_video(tmp_path / 'rough.mp4', clip, crf=40)
    assert rough.stat().st_size < path.stat().st_size / 2
    assert psnr(decode(rough), clip) < psnr(decoded, clip) - 3
    # Equal frames, equal file.
    again = write_video(tmp_path / 'again.mp4', clip, fps=12.5)
    assert again.read_bytes() == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        'again.mp4',
        'new',
        'rough.mp4',
    ]


def test_one_frame_video(tmp_path):
    clip = render_motion('up', (32, 32), 2)[:1]
    assert decode(write_video(tmp_path / 'one.mp4', clip)).shape == clip.shape


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    clip = render_motion('up', **SMALL)
    path = write_video(tmp_path / 'clip.mp4', clip)
    before = path.read_bytes()

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('lgd_tools.video.np.ascontiguousarray', fail)
    with pytest.raises(KeyboardInterrupt):
        write_video(path, clip)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# -------------------------------------------------------------------- data set
def test_data_set_layout(tmp_path):
    look = {'size': (64, 96), 'frames': 4}
    classes = ('right', 'left', 'receding')
    assert generate(tmp_path, classes, 3, 2, '--seed', 6, **look) == 0
    names = (tmp_path / 'label_map.txt').read_text().split()
    assert names == list(classes)
    for split, count in (('train', 3), ('val', 2)):
        file = tmp_path / f'motion_{split}_list_videos.txt'
        rows = [line.split() for line in file.read_text().splitlines()]
        labels = [int(label) for _, label in rows]
        assert np.bincount(labels).tolist() == [count] * 3
        folder = tmp_path / f'videos_{split}'
        files = {p.relative_to(folder).as_posix() for p in folder.glob('*/*')}
        assert {name for name, _ in rows} == files
        for name, label in rows:
            label = classes[int(label)]
            index = int(Path(name).stem.rsplit('_', 1)[1])
            seed = clip_seed(6, split, index)
            clip = render_motion(label, seed=seed, **look)
            assert psnr(decode(folder / name), clip) > 37


def test_train_and_val_share_no_clip(tmp_path):
    generate(tmp_path, ('up', 'down'), 4, 4)
    files = list(tmp_path.glob('videos_*/*/*.mp4'))
    assert len({p.read_bytes() for p in files}) == len(files) == 16


def test_continues_and_grows(tmp_path, capsys):
    def make(train, *more):
        generate(tmp_path, ('up', 'down'), train, 1, *more)
        return capsys.readouterr().out

    make(2)
    kept = tmp_path / 'videos_train' / 'up' / 'up_00000.mp4'
    lost = tmp_path / 'videos_train' / 'down' / 'down_00001.mp4'
    stamp, content = kept.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()
    half = lost.with_name('.down_00001.mp4.1.lgd-part')
    half.write_bytes(b'half')
    assert '3 clips written, 5 kept' in make(3)
    assert kept.stat().st_mtime_ns == stamp
    assert lost.read_bytes() == content
    assert not half.exists()
    listed = tmp_path / 'motion_train_list_videos.txt'
    assert len(listed.read_text().splitlines()) == 6
    # other pictures under the same names are refused
    for more in (('--seed', 1), ('--speed', 2)):
        with pytest.raises(ToolError, match='made with other options'):
            make(3, *more)


def test_refuses_a_folder_of_other_videos(tmp_path):
    (tmp_path / 'videos_train').mkdir()
    with pytest.raises(ToolError, match='did not make'):
        generate(tmp_path, ('up', 'down'), 1, 1)


@pytest.mark.slow
def test_workers_make_the_same_files(tmp_path):
    for workers in (1, 2):
        out = tmp_path / str(workers)
        generate(out, ('up', 'down'), 2, 1, '--workers', workers)
    one, two = (
        {p.relative_to(root): p.read_bytes() for p in root.glob('*/*/*.mp4')}
        for root in (tmp_path / '1', tmp_path / '2')
    )
    assert one == two
    assert len(one) == 6


# ---------------------------------------------------------------- command line
def test_command_line(tmp_path, capsys):
    args = ['--out', str(tmp_path), '--classes', *CLASSES[:3]]
    args += ['--size', '48x32']
    args += ['--frames', '5', '--train-per-class', '2', '--workers', '1']
    args += ['--val-per-class', '1', '--name', 'toy', '--preview']
    assert main(args) == 0
    printed = capsys.readouterr()
    assert '9 clips written, 0 kept, 3 classes' in printed.out
    assert not printed.err
    assert (tmp_path / 'toy_val_list_videos.txt').read_text() == (
        'left/left_00000.mp4 0\nright/right_00000.mp4 1\nup/up_00000.mp4 2\n'
    )
    sheet = cv2.imread(str(tmp_path / 'preview.png'))
    # 3 rows of 112 pixels with captions, 5 columns of 168.
    assert sheet.shape == (3 * (112 + 22 + 4), 5 * (168 + 4) + 4, 3)
    assert json.loads((tmp_path / 'generate_clips.json').read_text())[
        'size'
    ] == [32, 48]
    assert main(args) == 0
    assert '0 clips written, 9 kept' in capsys.readouterr().out


@pytest.mark.slow
def test_script_prints_one_sentence_and_exits_2(tmp_path, repo_root):
    script = repo_root / 'tools' / 'data' / 'generate_clips.py'
    done = subprocess.run(
        [sys.executable, str(script), '--out', str(tmp_path)]
        + ['--size', '48x33'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == (
        'error: H.264 video needs an even width and height, not 48x33: use '
        '48x34\n'
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--size', '64x16'], '64x16 .* at least 32'),
        (['--size', '63x64'], 'use 64x64'),
        (['--frames', 1], 'at least 2'),
        (['--speed', 0], 'speed 0'),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    out = tmp_path / 'set'
    with pytest.raises(ToolError, match=message) as caught:
        generate(out, ('up', 'down'), 1, 1, *options)
    assert '\n' not in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize('count, height', [(2, 9), (0, 8)])
def test_frames_that_cannot_be_written(tmp_path, count, height):
    frames = np.zeros((count, height, 8, 3), np.uint8)
    with pytest.raises(ToolError, match='could not be written'):
        write_video(tmp_path / 'clip.mp4', frames)
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    clip = render_motion('up', **SMALL)
    with pytest.raises(ToolError, match='could not be written'):
        write_video(tmp_path / 'file' / 'clip.mp4', clip)
