"""tools/data/extract_flow.py: exactness, storage, readers, resumption."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from lgd_tools.cli import ToolError
from lgd_tools.jobs import Job, JobError, Outcome
from lgd_tools.video import write_video
from lgd_tools.videos import extract_flow, flow_methods
from lgd_tools.videos.extract_flow import extract_one, main
from lgd_tools.videos.flow_coding import dequantise
from lgd_tools.videos.flow_methods import (
    make_method,
    require_method,
    scales_for,
)

OPTIONS = dict(
    method='dis_medium',
    short_side=None,
    bound=20.0,
    store='jpg',
    quality=90,
    crf=12,
    allow_damaged=False,
)
TEMPLATE = 'flow_{}_{:05d}.jpg'


def texture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for cell in (2, 4, 8, 16, 32):
        shape = (height // cell + 3, width // cell + 3)
        noise = rng.standard_normal(shape).astype(np.float32)
        total += cv2.resize(
            noise, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC
        )[:height, :width]
    low, high = total.min(), total.max()
    return (total - low) * (255 / (high - low))


def moving(frames, dx, dy, height=96, width=128):
    """(T, H, W) uint8; the content moves (dx, dy) whole pixels a frame."""
    rim = 24 + frames * (abs(dx) + abs(dy))
    big = texture(height + 2 * rim, width + 2 * rim)
    out = []
    for i in range(frames):
        top, left = rim - i * dy, rim - i * dx
        out.append(big[top : top + height, left : left + width])
    return np.rint(np.stack(out)).astype(np.uint8)


def clip(path, frames=4, dx=5, dy=-3):
    grey = moving(frames, dx, dy)
    return write_video(path, np.repeat(grey[..., None], 3, axis=-1), crf=4)


def stored_flow(folder, number):
    """What RawFrameDecode makes of a flow, in pixels."""
    pair = [
        cv2.imread(str(folder / TEMPLATE.format(a, number)), 0) for a in 'xy'
    ]
    return dequantise(np.stack(pair, axis=-1))


# ------------------------------------------------------------------- methods
@pytest.mark.parametrize('name', ['tvl1_fast', 'dis', 'dis_medium'])
@pytest.mark.parametrize('motion', [(2, -1), (12, -7), (-14, 6)])
def test_known_motion(name, motion):
    """x to the right, y downwards; fast motion is found too."""
    first, second = moving(2, *motion)
    flow = make_method(name, *first.shape)(first, second)
    assert flow.shape == (96, 128, 2) and flow.dtype == np.float32
    error = np.hypot(flow[..., 0] - motion[0], flow[..., 1] - motion[1])
    assert np.median(error) < 0.1


def test_paper_method_finds_fast_motion():
    """TV-L1 as OpenCV ships it misses 12 pixels; the deep pyramid does not."""
    first, second = moving(2, 12, -7, height=64, width=80)
    flow = make_method('tvl1', 64, 80)(first, second)
    assert np.median(np.hypot(flow[..., 0] - 12, flow[..., 1] + 7)) < 0.05


@pytest.mark.parametrize('name', ['dis_fast', 'dis_ultrafast'])
def test_coarse_presets_on_slow_motion(name):
    first, second = moving(2, 5, 3)
    flow = make_method(name, *first.shape)(first, second)
    error = np.hypot(flow[..., 0] - 5, flow[..., 1] - 3)
    assert np.median(error) < 0.3


def test_mirrored_pictures_give_mirrored_flow():
    first, second = moving(2, 6, 2)
    method = make_method('dis', *first.shape)
    plain = method(first, second)
    mirrored = method(first[:, ::-1], second[:, ::-1])[:, ::-1]
    assert abs(np.median(mirrored[..., 0]) + np.median(plain[..., 0])) < 0.05
    assert abs(np.median(mirrored[..., 1]) - np.median(plain[..., 1])) < 0.05


def test_pyramid_depth():
    assert scales_for(14, 100) == 1
    assert scales_for(120, 160) == 10  # 120 * 0.8^9 = 16.1 pixels
    assert scales_for(240, 320) == 13
    assert scales_for(4, 4) == 1


def test_missing_method(monkeypatch):
    with pytest.raises(ToolError, match='choose one of tvl1'):
        require_method('farneback')
    monkeypatch.setattr(cv2, 'optflow', None)
    with pytest.raises(ToolError, match='opencv-contrib-python=='):
        require_method('tvl1')
    require_method('dis')  # needs no contrib module


# --------------------------------------------------------------- one video
def test_jpg_folder(tmp_path):
    source = clip(tmp_path / 'in.mp4', frames=4)
    picture = tmp_path / 'p' / 'view.png'
    result = extract_one(
        str(source), str(tmp_path / 'out'), str(picture), OPTIONS
    )
    assert result['flows'] == 3  # n frames, n - 1 flows
    assert (result['width'], result['height']) == (128, 96)
    assert result['clipped'] < 0.01
    names = sorted(p.name for p in (tmp_path / 'out').iterdir())
    assert names == sorted(
        TEMPLATE.format(a, i) for a in 'xy' for i in (1, 2, 3)
    )
    sizes = [p.stat().st_size for p in (tmp_path / 'out').iterdir()]
    assert sum(sizes) == result['bytes']
    for i in (1, 2, 3):
        flow = stored_flow(tmp_path / 'out', i)
        assert abs(np.median(flow[..., 0]) - 5) < 0.2
        assert abs(np.median(flow[..., 1]) + 3) < 0.2
    assert cv2.imread(str(picture)).shape[0] == 96
    extract_one(str(source), str(tmp_path / 'again'), None, OPTIONS)
    for path in (tmp_path / 'again').iterdir():
        assert path.read_bytes() == (tmp_path / 'out' / path.name).read_bytes()


def test_scaled_flow_is_in_pixels_of_that_size(tmp_path):
    source = clip(tmp_path / 'in.mp4', frames=2, dx=8, dy=0)
    options = dict(OPTIONS, short_side=48)
    extract_one(str(source), str(tmp_path / 'out'), None, options)
    flow = stored_flow(tmp_path / 'out', 1)
    assert flow.shape == (48, 64, 2)
    assert abs(np.median(flow[..., 0]) - 4) < 0.2


def test_one_frame_and_broken_videos(tmp_path):
    one = clip(tmp_path / 'one.mp4', frames=1)
    with pytest.raises(JobError, match='one frame only'):
        extract_one(str(one), str(tmp_path / 'out'), None, OPTIONS)
    cut = tmp_path / 'cut.mp4'
    cut.write_bytes(one.read_bytes()[:300])
    with pytest.raises(JobError, match='not a video'):
        extract_one(str(cut), str(tmp_path / 'out'), None, OPTIONS)
    for options in (OPTIONS, dict(OPTIONS, store='video')):
        with pytest.raises(JobError):
            extract_one(str(one), str(tmp_path / 'x.mp4'), None, options)
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {'one.mp4', 'cut.mp4'}


def test_preview_that_fails_is_a_note(tmp_path, monkeypatch):
    source, out = clip(tmp_path / 'in.mp4'), tmp_path / 'out'
    (tmp_path / 'file').write_bytes(b'')
    picture = str(tmp_path / 'file' / 'p.png')  # no folder can be made there
    result = extract_one(str(source), str(out), picture, OPTIONS)
    assert result['flows'] == 3 and len(list(out.iterdir())) == 6
    assert result['note'].startswith('no preview picture: ')
    job = Job('in.mp4', (str(source), str(out), picture, OPTIONS))
    outcome = Outcome('in.mp4', 'done', result)
    assert extract_flow.is_there(job, outcome)  # not done again for that
    # a picture that was deleted is made again
    good = Outcome('in.mp4', 'done', dict(result, note='', picture_error=''))
    assert not extract_flow.is_there(job, good)

    def broken(*_):
        raise JobError('frame 1 cannot be decoded a second time')

    monkeypatch.setattr(extract_flow, '_frame', broken)
    picture = str(tmp_path / 'p.png')
    result = extract_one(str(source), str(out), picture, OPTIONS)
    assert result['note'].endswith('cannot be decoded a second time')


@pytest.mark.skipif(sys.platform != 'linux', reason='bytes as file names')
def test_names_that_are_not_utf8(tmp_path):
    source, out = tmp_path / 'v', tmp_path / 'out'
    name = os.fsdecode(b'caf\xe9 1.mp4')
    clip(source / 'x.mp4', frames=2).rename(source / name)
    assert extract_flow.result_name(f'a/{name}', 'video') == 'a/caf__1.mp4'
    argv = [str(source), str(out), '--method', 'dis', '--workers', '1']
    argv += ['--list-out', str(tmp_path / 'l.txt')]
    assert main(argv) == main(argv) == 0  # the journal keeps such names
    assert (tmp_path / 'l.txt').read_text() == 'caf__1 1\n'
    assert len(list((out / 'caf__1').iterdir())) == 2


@pytest.mark.slow
def test_other_options_need_overwrite(tmp_path):
    source, out = tmp_path / 'v', tmp_path / 'out'
    clip(source / 'a.mp4', frames=2)
    clip(source / 'b.mp4', frames=2)
    argv = [str(source), str(out), '--workers', '1', '--method']
    assert main([*argv, 'dis']) == 0
    before = {p: p.read_bytes() for p in out.rglob('*.jpg')}
    with pytest.raises(ToolError, match='out holds 2 result.*--overwrite'):
        main([*argv, 'dis_fast'])
    assert before == {p: p.read_bytes() for p in out.rglob('*.jpg')}
    (source / 'b.mp4').write_bytes(b'no video any more')
    assert main([*argv, 'dis_fast', '--overwrite']) == 1
    after = {p: p.read_bytes() for p in out.rglob('*.jpg')}
    # b's old flow would pass for one of these options
    assert {p.parent.name for p in after} == {'a'}
    assert all(before[path] != data for path, data in after.items())
    assert main([*argv, 'dis_fast']) == 1  # continues


# ------------------------------------------------------------------- readers
def flow_samples(pipeline_head, dataset, tmp_path, rows, **options):
    """The pictures that a stock data set reads for its first row."""
    from mmaction.registry import DATASETS

    ann_file = tmp_path / 'list.txt'
    ann_file.write_text('\n'.join(rows) + '\n')
    pipeline = [
        *pipeline_head,
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    data = DATASETS.build(
        dict(
            type=dataset,
            ann_file=str(ann_file),
            pipeline=pipeline,
            modality='Flow',
            test_mode=True,
            **options,
        )
    )
    return data[0]['inputs'].numpy()  # (M, 2, T, H, W)


SAMPLE = dict(
    type='SampleFrames',
    clip_len=3,
    frame_interval=1,
    num_clips=1,
    test_mode=True,
)


@pytest.mark.slow
def test_stock_rawframe_dataset_reads_it(tmp_path):
    source = clip(tmp_path / 'v' / 'a clip.mp4', frames=4)
    assert source.exists()
    out = tmp_path / 'rawframes'
    listed = tmp_path / 'l.txt'
    listed.write_text('a clip.mp4 7\n')
    result = tmp_path / 'raw.txt'
    argv = [str(tmp_path / 'v'), str(out), '--method', 'dis']
    argv += ['--list', str(listed), '--list-out', str(result)]
    assert main([*argv, '--workers', '1']) == 0
    rows = result.read_text().splitlines()
    assert rows == ['a_clip 3 7']  # spaces would split the line
    inputs = flow_samples(
        [SAMPLE, dict(type='RawFrameDecode')],
        'RawframeDataset',
        tmp_path,
        rows,
        data_prefix=dict(img=str(out)),
        filename_tmpl=TEMPLATE,
    )
    assert inputs.shape == (1, 2, 3, 96, 128)
    for i in range(3):
        flow = dequantise(inputs[0, :, i])
        assert abs(np.median(flow[0]) - 5) < 0.2
        assert abs(np.median(flow[1]) + 3) < 0.2


@pytest.mark.slow
def test_packed_video_reads_like_the_jpg_files(tmp_path):
    from lgd_mmaction.datasets import UnpackFlow
    from lgd_mmaction.errors import DataError

    source = clip(tmp_path / 'v' / 'a.mp4', frames=6)
    argv = [str(tmp_path / 'v'), str(tmp_path / 'flow'), '--method', 'dis']
    result = tmp_path / 'videos.txt'
    argv += ['--store', 'video', '--list-out', str(result)]
    assert main([*argv, '--workers', '1']) == 0
    assert result.read_text() == 'a.mp4\n'
    extract_one(str(source), str(tmp_path / 'jpg'), None, OPTIONS)
    decode = [
        dict(type='DecordInit'),
        SAMPLE | dict(clip_len=5),
        dict(type='DecordDecode'),
    ]
    inputs = flow_samples(
        [*decode, dict(type='UnpackFlow')],
        'VideoDataset',
        tmp_path,
        ['a.mp4 0'],
        data_prefix=dict(video=str(tmp_path / 'flow')),
    )
    assert inputs.shape == (1, 2, 5, 96, 128)
    packed = np.stack([dequantise(inputs[0, :, i]) for i in range(5)])
    files = [stored_flow(tmp_path / 'jpg', i) for i in range(1, 6)]
    files = np.stack(files).transpose(0, 3, 1, 2)
    assert np.abs(packed - files).mean() < 0.08  # half a step of 8 bits
    assert np.abs(np.median(packed[:, 0]) - 5) < 0.2
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[..., 0] = 9
    with pytest.raises(DataError, match='x.mp4 is not a packed flow video'):
        UnpackFlow()(dict(imgs=[colours], filename='x.mp4'))


# ------------------------------------------------------------------- command
@pytest.mark.slow
def test_resumes_after_a_kill(tmp_path, repo_root):
    source, out = tmp_path / 'in', tmp_path / 'out'
    clip(source / 'a#(1)!' / 'x &y.mp4', frames=3)
    clip(source / 'b.mp4', frames=3)
    (source / 'zero.mp4').write_bytes(b'')
    # what a killed run leaves
    left = out / 'a#(1)!' / '.x_&y.123.part'
    left.mkdir(parents=True)
    (left / TEMPLATE.format('x', 1)).write_bytes(b'half')
    script = repo_root / 'tools' / 'data' / 'extract_flow.py'
    command = [sys.executable, str(script), str(source), str(out)]
    command += ['--method', 'dis', '--short-side', '48', '--workers', '2']
    command += ['--list-out', str(tmp_path / 'l.txt')]

    def go():
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    code, stdout, stderr = go()
    assert code == 1
    assert '2 of 3 videos are ready' in stdout and '4 flows' in stdout
    assert 'zero.mp4: the file is empty' in stderr
    assert not left.exists()
    assert (tmp_path / 'l.txt').read_text() == 'b 2\na#(1)!/x_&y 2\n'
    (source / 'zero.mp4').unlink()
    kept = (out / 'b').stat().st_mtime_ns
    (out / 'a#(1)!' / 'x_&y' / TEMPLATE.format('y', 2)).unlink()
    code, stdout, _ = go()
    assert code == 0 and '1 from before' in stdout
    assert (out / 'b').stat().st_mtime_ns == kept
    assert (out / 'a#(1)!' / 'x_&y' / TEMPLATE.format('y', 2)).exists()


def test_wrong_input_is_a_tool_error(tmp_path):
    out = str(tmp_path / 'out')
    with pytest.raises(ToolError, match='gone does not exist'):
        main([str(tmp_path / 'gone'), out])
    for store in ('jpg', 'video'):
        for inside in (str(tmp_path), out):
            with pytest.raises(ToolError, match='or lies inside it'):
                main([str(tmp_path), inside, '--store', store])
    source = tmp_path / 'in'
    source.mkdir()
    with pytest.raises(ToolError, match='no videos in'):
        main([str(source), out])
    (source / 'x y.mp4').write_bytes(b'1')
    (source / 'x_y.avi').write_bytes(b'1')
    with pytest.raises(ToolError, match='would both become x_y'):
        main([str(source), out])
    (source / 'x y.mp4').unlink()
    (source / 'x_y').mkdir()
    (source / 'x_y' / 'z.mp4').write_bytes(b'1')
    with pytest.raises(ToolError, match='would lie inside that of x_y.avi'):
        main([str(source), out])
    with pytest.raises(SystemExit):
        main([str(source), out, '--bound', '0'])


def test_every_method_is_documented(repo_root):
    text = (repo_root / 'docs' / 'flow.md').read_text()
    for name in flow_methods.METHODS:
        for size in ('160x120', '318x240'):  # a row of measurements
            assert f'| {name} | {size} | ' in text
    for name in flow_methods.ALIASES:
        assert f'`{name}`' in text
    assert set(flow_methods.ALIASES.values()) <= set(flow_methods.METHODS)
    assert extract_flow.parse(['a', 'b']).method == 'tvl1'


def test_real_clip(shared_data, tmp_path):
    """The panning camera of a real clip: all points move alike."""
    source = shared_data / 'smoke' / 'part_0.mp4'
    options = dict(OPTIONS, short_side=120)
    result = extract_one(str(source), str(tmp_path / 'out'), None, options)
    assert (result['flows'], result['height']) == (31, 120)
    speed = np.abs(stored_flow(tmp_path / 'out', 15))
    assert 0.05 < speed.mean() < 20
