"""tools/data/resize_videos.py: sizes, times, key frames, atomicity."""

import os
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from lgd_tools.cli import ToolError
from lgd_tools.jobs import JobError
from lgd_tools.video import VideoFile, fit_size, write_video
from lgd_tools.videos import resize_videos
from lgd_tools.videos.resize_videos import main, resize_one

OPTIONS = dict(
    short_side=24,
    size=None,
    key_frames=4,
    crf=12,
    preset='veryfast',
    allow_damaged=False,
)


def smooth(frames=10, size=(48, 64)):
    """Red to the right, green downwards, blue with time."""
    height, width = size
    picture = np.zeros((frames, height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(20, 220, width)
    picture[..., 1] = np.linspace(20, 220, height)[:, None]
    picture[..., 2] = np.linspace(20, 220, frames)[:, None, None]
    return picture


def decode(path):
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    pictures = np.stack([f.to_ndarray(format='rgb24') for f in frames])
    return frames, pictures


@pytest.mark.parametrize(
    ('source', 'options', 'expected'),
    [
        ((340, 256), dict(short_side=120), (160, 120)),
        ((426, 240), dict(short_side=120), (212, 120)),  # 213 is odd
        ((240, 426), dict(short_side=120), (120, 212)),
        ((100, 80), dict(short_side=120), (100, 80)),  # never enlarged
        ((101, 81), dict(short_side=120), (100, 80)),  # even
        ((340, 256), dict(exact=(320, 240)), (320, 240)),
        ((4000, 8), dict(short_side=120), (4000, 8)),
        ((340, 256), dict(), (340, 256)),
    ],
)
def test_fit_size(source, options, expected):
    assert fit_size(*source, **options) == expected


def test_odd_sizes_are_refused(tmp_path):
    with pytest.raises(ToolError, match='not 321x240: use 322x240'):
        main([str(tmp_path), str(tmp_path / 'out'), '--size', '321x240'])
    for text in ('1x2x3', 'ax b', '0x2', '-2x4'):
        with pytest.raises(SystemExit):
            main([str(tmp_path), str(tmp_path / 'out'), f'--size={text}'])


def test_pictures_times_and_key_frames(tmp_path):
    source = write_video(tmp_path / 'in.mp4', smooth(), fps=10, gop=250)
    target = tmp_path / 'deep' / 'out.mp4'
    result = resize_one(source, target, OPTIONS)
    assert (result['width'], result['height']) == (32, 24)
    assert result['frames'] == 10 and result['note'] == ''
    assert result['size_before'] == source.stat().st_size
    assert result['size'] == target.stat().st_size
    frames, pictures = decode(target)
    assert [i for i, f in enumerate(frames) if f.key_frame] == [0, 4, 8]
    assert [float(f.time) for f in frames] == pytest.approx(
        [i / 10 for i in range(10)]
    )
    # 2x2 means of the source, up to compression and 4:2:0 colour
    wanted = smooth().reshape(10, 24, 2, 32, 2, 3).mean((2, 4))
    assert np.abs(pictures.astype(int) - wanted).mean() < 3
    assert list(target.parent.iterdir()) == [target]


def test_variable_frame_rate_is_kept(tmp_path):
    source = tmp_path / 'vfr.mkv'
    times = [0, 40, 80, 400, 420, 1000, 1005, 1900]  # milliseconds
    with av.open(str(source), 'w') as out:
        stream = out.add_stream('libx264', rate=25)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.time_base = Fraction(1, 1000)
        for picture, time in zip(smooth(8), times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    target = tmp_path / 'out.mp4'
    resize_one(source, target, OPTIONS)
    frames, _ = decode(target)
    assert [round(float(f.time) * 1000) for f in frames] == times


def rotate_header(path, out):
    """Set the mp4's display matrix to 'show turned right by 90 degrees'."""
    data = bytearray(path.read_bytes())
    start = data.index(b'tkhd') + 4 + 40
    one = 1 << 16
    matrix = [0, one, 0, -one & 0xFFFFFFFF, 0, 0, 0, 0, 1 << 30]
    data[start : start + 36] = b''.join(v.to_bytes(4, 'big') for v in matrix)
    out.write_bytes(data)


def test_rotation_metadata_becomes_pixels(tmp_path):
    picture = smooth(size=(64, 96))
    plain = write_video(tmp_path / 'plain.mp4', picture)
    phone = tmp_path / 'phone.mp4'
    rotate_header(plain, phone)
    target = tmp_path / 'out.mp4'
    result = resize_one(phone, target, dict(OPTIONS, short_side=64))
    assert (result['width'], result['height']) == (64, 96)
    frames, pictures = decode(target)
    assert {f.rotation for f in frames} == {0}
    wanted = np.rot90(picture, -1, axes=(1, 2))  # clockwise
    assert np.abs(pictures.astype(int) - wanted).mean() < 4
    # the reader of the training turns the same way
    decord = pytest.importorskip('decord')
    seen = decord.VideoReader(str(phone))[0].asnumpy()
    assert seen.shape == (96, 64, 3)
    assert np.abs(seen.astype(int) - wanted[0]).mean() < 4


@pytest.mark.parametrize(
    ('pixels', 'size'),
    [
        ('yuv444p', (64, 48)),
        ('yuvj420p', (64, 48)),
        ('yuv420p10le', (64, 48)),
        ('gray', (64, 48)),
        ('yuv444p', (63, 47)),
    ],
)
def test_odd_pixel_formats_and_sizes(tmp_path, pixels, size):
    width, height = size
    source = tmp_path / 'in.mkv'
    pictures = smooth(3)[:, :height, :width]
    with av.open(str(source), 'w') as out:
        codec = 'ffv1' if pixels == 'gray' else 'libx264'
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        if codec == 'libx264':
            stream.options = dict(crf='8')
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(picture), format='rgb24'
            )
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    target = tmp_path / 'out.mp4'
    result = resize_one(source, target, dict(OPTIONS, short_side=48))
    even = (2 * round(width / 2), 2 * round(height / 2))
    assert (result['width'], result['height']) == even
    frames, found = decode(target)
    assert len(frames) == 3 and frames[0].format.name == 'yuv420p'
    if pixels == 'gray':
        wanted = pictures @ np.array([0.299, 0.587, 0.114])
        wanted = np.repeat(wanted[..., None], 3, axis=-1)
    else:
        wanted = pictures
    if even == size:
        assert np.abs(found.astype(int) - wanted).mean() < 5
    assert abs(found.mean() - wanted.mean()) < 4


def truncated(path):
    """A clip of 40 frames whose end is missing."""
    whole = write_video(path.parent / 'whole.tmp', smooth(40))
    remux = path.with_suffix('.fast.mp4')
    with (
        av.open(str(whole)) as source,
        av.open(str(remux), 'w', options=dict(movflags='faststart')) as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    data = remux.read_bytes()
    whole.unlink()
    remux.unlink()
    path.write_bytes(data[: len(data) * 3 // 4])
    return path


def test_damaged_input_leaves_nothing(tmp_path):
    cut = truncated(tmp_path / 'cut.mp4')
    target = tmp_path / 'out' / 'cut.mp4'
    with pytest.raises(JobError, match='frames'):
        resize_one(cut, target, OPTIONS)
    assert list(target.parent.iterdir()) == []
    result = resize_one(cut, target, dict(OPTIONS, allow_damaged=True))
    assert 0 < result['frames'] < 40 and 'frames' in result['note']
    assert len(decode(target)[0]) == result['frames']


def test_result_with_missing_frames_is_refused(tmp_path, monkeypatch):
    source = write_video(tmp_path / 'in.mp4', smooth())
    monkeypatch.setattr(resize_videos, 'count_frames', lambda path: 9)
    with pytest.raises(JobError, match='holds 9 frames instead of 10'):
        resize_one(source, tmp_path / 'out.mp4', OPTIONS)
    assert not (tmp_path / 'out.mp4').exists()


@pytest.mark.slow
def test_names_of_the_results(tmp_path):
    source, out = tmp_path / 'in', tmp_path / 'out'
    for name in ('a.avi', 'b c#.mkv'):
        write_video(tmp_path / 'v.mp4', smooth(2))
        (source / 'x').mkdir(parents=True, exist_ok=True)
        (tmp_path / 'v.mp4').rename(source / 'x' / name)
    (source / 'x' / '.b.mp4.part').write_bytes(b'1')
    argv = [str(source), str(out), '--short-side', '24', '--workers', '1']
    assert main(argv) == 0
    assert names_in(out) == ['x/a.mp4', 'x/b c#.mp4']
    argv[1] = str(tmp_path / 'kept')
    assert main([*argv, '--keep-names']) == 0
    assert names_in(tmp_path / 'kept') == ['x/a.avi', 'x/b c#.mkv']
    (source / 'x' / 'a.mp4').write_bytes(b'1')
    with pytest.raises(ToolError, match='both lie in x/a.mp4'):
        main(argv)
    # only the videos of a list
    (tmp_path / 'list.txt').write_text('x/a.avi 0\n')
    argv[1] = str(tmp_path / 'one')
    assert main([*argv, '--list', str(tmp_path / 'list.txt')]) == 0
    assert names_in(tmp_path / 'one') == ['x/a.mp4']


def names_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.glob('x/*'))


def test_wrong_input_is_a_tool_error(tmp_path):
    out = str(tmp_path / 'out')
    with pytest.raises(ToolError, match='gone does not exist'):
        main([str(tmp_path / 'gone'), out, '--short-side', '24'])
    (tmp_path / 'up').symlink_to(tmp_path)
    (tmp_path / 'a.mp4').write_bytes(b'1')
    for inside in (tmp_path, tmp_path / 'x' / 'y', tmp_path / 'up' / 'z'):
        with pytest.raises(ToolError, match='or lies inside it'):
            main([str(tmp_path), str(inside), '--short-side', '24'])
    assert not (tmp_path / 'x').exists()
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ToolError, match='no videos in'):
        main([str(tmp_path / 'empty'), out, '--short-side', '24'])


@pytest.mark.slow
def test_command_resumes_after_a_kill(tmp_path, repo_root):
    source, target = tmp_path / 'in', tmp_path / 'out'
    write_video(source / 'a b/x #1.mp4', smooth())
    write_video(source / 'c.mp4', smooth(5))
    (source / 'zero.mp4').write_bytes(b'')
    (target / 'a b').mkdir(parents=True)
    # what a killed run leaves: an unfinished file under a hidden name
    left = target / 'a b' / '.x #1.mp4.00000123.lgd-part'
    left.write_bytes(b'half')
    script = repo_root / 'tools' / 'data' / 'resize_videos.py'
    command = [sys.executable, str(script), str(source), str(target)]
    command += ['--short-side', '24', '--workers', '2']

    def go():
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    code, stdout, stderr = go()
    assert code == 1  # zero.mp4
    assert '2 of 3 videos are ready' in stdout and 'MB ->' in stdout
    assert 'zero.mp4: the file is empty' in stderr
    assert not left.exists()
    first, second = target / 'a b/x #1.mp4', target / 'c.mp4'
    assert len(decode(first)[0]) == 10 and len(decode(second)[0]) == 5
    assert not (target / 'zero.mp4').exists()

    (source / 'zero.mp4').unlink()
    kept = first.stat().st_mtime_ns
    os.truncate(second, 100)  # damaged afterwards: made again
    code, stdout, _ = go()
    assert code == 0 and '1 from before' in stdout
    assert first.stat().st_mtime_ns == kept
    assert len(decode(second)[0]) == 5


@pytest.mark.slow
def test_other_options_need_overwrite(tmp_path):
    source, target = tmp_path / 'in', tmp_path / 'out'
    write_video(source / 'a.mp4', smooth())
    write_video(source / 'b.mp4', smooth())
    argv = [str(source), str(target), '--workers', '1']
    assert main([*argv, '--short-side', '24']) == 0
    kept = (target / 'a.mp4').read_bytes()
    with pytest.raises(ToolError, match='out holds 2 result.*--overwrite'):
        main([*argv, '--short-side', '32'])
    assert (target / 'a.mp4').read_bytes() == kept
    (source / 'b.mp4').write_bytes(b'no video any more')
    assert main([*argv, '--short-side', '32', '--overwrite']) == 1
    assert decode(target / 'a.mp4')[0][0].height == 32
    # the old one would pass for a result of these options
    assert not (target / 'b.mp4').exists()


@pytest.mark.slow
def test_allow_damaged_continues_and_is_taken_back(tmp_path, capsys):
    source, target = tmp_path / 'in', tmp_path / 'out'
    write_video(source / 'a.mp4', smooth())
    truncated(source / 'b.mp4')
    argv = [str(source), str(target), '--short-side', '24', '--workers', '1']
    assert main(argv) == 1
    kept = (target / 'a.mp4').stat().st_mtime_ns
    assert main([*argv, '--allow-damaged']) == 0
    err = capsys.readouterr().err
    assert 'b.mp4: note: ' in err and 'frames' in err
    assert (target / 'b.mp4').exists()
    assert main(argv) == 1
    assert not (target / 'b.mp4').exists()
    assert (target / 'a.mp4').stat().st_mtime_ns == kept


def pictures(path):
    """All frames of a video, 160 x 120, as integers that subtract."""
    with av.open(str(path)) as container:
        return [
            f.to_ndarray(width=160, height=120, format='rgb24').astype(int)
            for f in container.decode(video=0)
        ]


@pytest.mark.slow
def test_real_clips_keep_their_frames(shared_data, tmp_path):
    decord = pytest.importorskip('decord')
    for name, frames in {
        'part_0.mp4': 32,
        'test.avi': 164,
        'v_BaseballPitch_g01_c01.avi': 107,
        'flipping_a_pancake.mkv': 310,
    }.items():
        source, target = shared_data / 'smoke' / name, tmp_path / name
        options = dict(OPTIONS, short_side=120, key_frames=16)
        result = resize_one(source, target, options)
        assert result['frames'] == frames and result['height'] == 120
        reader = decord.VideoReader(str(target))
        assert len(reader) == frames
        assert max(np.diff(reader.get_key_indices())) <= 16
        # PyAV decodes in order: decord's seeks may land elsewhere under load
        old, new = pictures(source), pictures(target)
        for i in (0, frames // 2, frames - 1):  # the same moments
            assert np.abs(old[i] - new[i]).mean() < 6


def test_no_frame_is_read_as_upright_by_accident(tmp_path):
    """A plain file has no rotation to apply."""
    source = write_video(tmp_path / 'in.mp4', smooth())
    with VideoFile(source) as video:
        frame = next(iter(video.frames('rgb24')))
    assert np.abs(frame.to_ndarray().astype(int) - smooth()[0]).mean() < 4
