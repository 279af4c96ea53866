"""tools/data/extract_flow.py: exactness, storage, readers, resumption."""

import subprocess
import sys

import cv2
import extract_flow
import flow_methods
import numpy as np
import pytest
from common import ToolError
from extract_flow import extract_one, main
from flow_coding import (
    colour_flow,
    colour_wheel,
    dequantise,
    legend,
    preview,
    quantise,
)
from flow_methods import make_method, require_method, scales_for
from parallel import JobError
from video_writer import write_video

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


# -------------------------------------------------------------------- coding
def test_quantise_formula():
    values = np.array([-25, -20, -0.01, 0, 0.2, 10, 20, 99, np.nan, np.inf])
    stored = quantise(values)
    # round((v + 20) * 255 / 40), half to even
    expected = [0, 0, 127, 128, 129, 191, 255, 255, 128, 255]
    assert stored.tolist() == expected and stored.dtype == np.uint8
    assert quantise(np.array([5.0]), bound=5).item() == 255


def test_quantise_error_and_inverse():
    values = np.linspace(-20, 20, 4001)
    back = dequantise(quantise(values))
    assert np.abs(back - values).max() <= 20 / 255 + 1e-6  # half a step
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(quantise(dequantise(every)), every)


def test_inverting_is_negating():
    """255 - q, what mmcv.iminvert in the stock Flip does, is -v."""
    every = np.arange(256, dtype=np.uint8)
    assert np.allclose(dequantise(255 - every), -dequantise(every), atol=1e-5)


def test_colour_wheel():
    wheel = colour_wheel()
    assert wheel.shape == (55, 3)
    assert wheel[0].tolist() == [255, 0, 0]
    assert wheel[15].tolist() == [255, 255, 0]
    assert wheel[25].tolist() == [0, 255, 255]
    directions = np.array([[[1, 0], [-1, 0], [0, 1], [0, -1]]], float)
    right, left, down, up = colour_flow(directions, 1.0)[0].astype(int)
    assert right[0] == 255 and right[1] == 0  # red
    assert left[0] == 0 and left[2] == 255  # cyan
    assert down[0] > 230 and down[1] > 200 and down[2] == 0  # yellow
    assert up[2] == 255 and up[1] < 20  # blue to violet
    rest = colour_flow(np.zeros((1, 1, 2)), 1.0)
    assert rest.ravel().tolist() == [255, 255, 255]


def test_preview_layout():
    frame = np.full((100, 80, 3), 7, np.uint8)
    flow = np.zeros((100, 80, 2), np.float32)
    flow[..., 0] = 3
    picture = preview(frame, flow)
    assert picture.shape[0] == 100 and picture.dtype == np.uint8
    assert (picture[:, :80] == 7).all()
    flow_part = picture[:, 84:164]
    assert (flow_part == flow_part[0, 0]).all()
    assert flow_part[0, 0].tolist() == [255, 0, 0]
    assert legend(51)[25, 25].min() > 240  # white middle


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
    # the picture is an extra: the flow is the same without it
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
    left = out / 'a#(1)!' / '.x_&y.part'
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
    with pytest.raises(ToolError, match='same folder'):
        main([str(tmp_path), str(tmp_path)])
    with pytest.raises(ToolError, match='no videos in'):
        main([str(tmp_path), out])
    (tmp_path / 'x y.mp4').write_bytes(b'1')
    (tmp_path / 'x_y.avi').write_bytes(b'1')
    with pytest.raises(ToolError, match='would both become x_y'):
        main([str(tmp_path), out])
    (tmp_path / 'x y.mp4').unlink()
    (tmp_path / 'x_y').mkdir()
    (tmp_path / 'x_y' / 'z.mp4').write_bytes(b'1')
    with pytest.raises(ToolError, match='would lie inside that of x_y.avi'):
        main([str(tmp_path), out])
    with pytest.raises(SystemExit):
        main([str(tmp_path), out, '--bound', '0'])


def test_every_method_is_documented():
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
