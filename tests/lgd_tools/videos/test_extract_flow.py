"""tools/data/extract_flow.py: exactness, storage, readers, resumption."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from lgd_tools.cli import ToolError
from lgd_tools.jobs import JobError
from lgd_tools.video import write_video
from lgd_tools.videos import extract_flow
from lgd_tools.videos.extract_flow import extract_one, main
from tests.lgd_tools.videos.moving import dequantise, moving

OPTIONS = dict(
    method='dis',
    short_side=None,
    bound=20.0,
    store='jpg',
    quality=90,
    crf=12,
    allow_damaged=False,
)
TEMPLATE = 'flow_{}_{:05d}.jpg'


def clip(path, frames=4, dx=5, dy=-3):
    grey = moving(frames, dx, dy)
    return write_video(path, np.repeat(grey[..., None], 3, axis=-1), crf=4)


def stored_flow(folder, number):
    """What RawFrameDecode makes of a flow, in pixels."""
    pair = [
        cv2.imread(str(folder / TEMPLATE.format(a, number)), 0) for a in 'xy'
    ]
    return dequantise(np.stack(pair, axis=-1))


# --------------------------------------------------------------- one video
def test_jpg_folder(tmp_path):
    source = clip(tmp_path / 'in.mp4', frames=4)
    result = extract_one(source, tmp_path / 'out', OPTIONS)
    assert result['flows'] == 3  # n frames, n - 1 flows
    names = sorted(p.name for p in (tmp_path / 'out').iterdir())
    assert names == sorted(
        TEMPLATE.format(a, i) for a in 'xy' for i in (1, 2, 3)
    )
    for i in (1, 2, 3):
        flow = stored_flow(tmp_path / 'out', i)
        assert flow.shape == (96, 128, 2)
        assert abs(np.median(flow[..., 0]) - 5) < 0.2
        assert abs(np.median(flow[..., 1]) + 3) < 0.2
    extract_one(source, tmp_path / 'again', OPTIONS)
    for path in (tmp_path / 'again').iterdir():
        assert path.read_bytes() == (tmp_path / 'out' / path.name).read_bytes()


def test_scaled_flow_is_in_pixels_of_that_size(tmp_path):
    source = clip(tmp_path / 'in.mp4', frames=2, dx=8, dy=0)
    options = dict(OPTIONS, short_side=48)
    extract_one(source, tmp_path / 'out', options)
    flow = stored_flow(tmp_path / 'out', 1)
    assert flow.shape == (48, 64, 2)
    assert abs(np.median(flow[..., 0]) - 4) < 0.2


def test_one_frame_and_broken_videos(tmp_path):
    one = clip(tmp_path / 'one.mp4', frames=1)
    with pytest.raises(JobError, match='one frame only'):
        extract_one(one, tmp_path / 'out', OPTIONS)
    cut = tmp_path / 'cut.mp4'
    cut.write_bytes(one.read_bytes()[:300])
    with pytest.raises(JobError, match='not a video'):
        extract_one(cut, tmp_path / 'out', OPTIONS)
    for options in (OPTIONS, dict(OPTIONS, store='video')):
        with pytest.raises(JobError):
            extract_one(one, tmp_path / 'x.mp4', options)
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {'one.mp4', 'cut.mp4'}


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
    extract_one(source, tmp_path / 'jpg', OPTIONS)
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
    left = out / 'a#(1)!' / '.x_&y.00000123.lgd-part'
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
    clip(tmp_path / 'a.mp4', frames=1)
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
    with pytest.raises(ToolError, match='both lie in x_y'):
        main([str(source), out])
    (source / 'x y.mp4').unlink()
    (source / 'x_y').mkdir()
    (source / 'x_y' / 'z.mp4').write_bytes(b'1')
    with pytest.raises(ToolError, match='both lie in x_y'):
        main([str(source), out])
    with pytest.raises(SystemExit):
        main([str(source), out, '--bound', '0'])


def test_real_clip(shared_data, tmp_path):
    """The panning camera of a real clip: all points move alike."""
    source = shared_data / 'smoke' / 'part_0.mp4'
    options = dict(OPTIONS, short_side=120)
    result = extract_one(source, tmp_path / 'out', options)
    assert result['flows'] == 31
    speed = np.abs(stored_flow(tmp_path / 'out', 15))
    assert len(speed) == 120
    assert 0.05 < speed.mean() < 20
