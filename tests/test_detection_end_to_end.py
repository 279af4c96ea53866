"""Detection from annotations as distributed to drawn tubes, in small."""

import json
import os
import re
import subprocess
import sys

import av
import numpy as np
import pytest

from lgd_mmaction.detection.annotations import load_tubes
from lgd_mmaction.detection.box_table import BoxTable
from lgd_tools import detection_example
from lgd_tools.cli import ToolError
from lgd_tools.detection_example import random_scores
from tests.warm import PYTHON

MEASURES = {
    'frame_mAP@0.5', 'video_mAP@0.2', 'video_mAP@0.5', 'video_mAP@0.75',
    'video_mAP@0.5:0.95',
}  # fmt: skip


@pytest.fixture
def example(repo_root):
    """Runs the script with this Python."""
    script = repo_root / 'tools' / 'run_detection_example.py'

    def run(*args: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, script, '--smoke', '--workers', '1']
            + list(map(str, args)),
            env=dict(os.environ, OMP_NUM_THREADS='1'),
            capture_output=True,
            text=True,
            timeout=900,
        )

    return run


@pytest.mark.slow
def test_every_step_of_two_streams(tmp_path, repo_root, monkeypatch):
    pytest.importorskip('mmdet')
    pytest.importorskip('mmcv.ops')
    out = tmp_path / 'all'

    monkeypatch.setattr('sys.executable', PYTHON)
    monkeypatch.chdir(repo_root)
    argv = ['--style', 'ucf101_24', '--flow', '--smoke', '--workers', '1']
    assert detection_example.main([*argv, '--out', str(out)]) == 0

    truth = load_tubes(out / 'data' / 'ucf101_24_tubes.json')
    made = load_tubes(out / 'data' / 'truth_tubes.json')
    assert truth.classes == made.classes
    videos = truth.subset(1, 'test')
    frames = sum(video.num_frames for video in videos)
    proposals = BoxTable.load(out / 'data' / 'proposals.npz', 'proposals')
    tables = {
        name: BoxTable.load(path, 'detections')
        for name, path in (
            ('rgb', out / 'rgb' / 'detections.npz'),
            ('flow', out / 'flow' / 'detections.npz'),
            ('fused', out / 'fused.npz'),
        )
    }
    tested = [
        name in {v.name for v in videos}
        for name in proposals.videos[proposals.video]
    ]
    for table in tables.values():
        # every frame was tested, with every box that was proposed
        assert len(table.frames_frame) == frames
        assert len(table) == sum(tested)
        assert table.scores.shape == (len(table), 4)
        assert (table.scores.sum(1) < 1).all()  # background takes the rest
    assert np.allclose(
        tables['fused'].scores,
        (tables['rgb'].scores + tables['flow'].scores) / 2,
        atol=1e-6,
    )

    result = json.loads((out / 'result.json').read_text())
    assert set(result) == {'chance', 'rgb', 'flow', 'fused'}
    for stream, means in result.items():
        assert set(means) == MEASURES
        assert all(0 <= value <= 1 for value in means.values()), stream
    # the metric of the test says the same of the same file
    said = (out / 'test_rgb.log').read_text()
    (number,) = re.findall(r'tube/frame_mAP@0.5: ([0-9.]+)', said)
    assert float(number) == pytest.approx(
        result['rgb']['frame_mAP@0.5'], abs=1e-4
    )
    for video in videos:
        with av.open(str(out / 'drawn' / f'{video.name}.mp4')) as container:
            assert sum(1 for _ in container.decode()) == video.num_frames
        assert (out / 'drawn' / f'{video.name}.png').is_file()


def test_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """What is done is not done again; later steps see what earlier made."""
    from lgd_tools import example

    ran = []

    def run(words, env, log):
        ran.append(words[0])
        if words[0] == 'train':
            (tmp_path / 'checkpoint').touch()
        if words[0] == 'stop':
            raise ToolError('stopped')

    def steps(last):
        yield example.Step('making', 'make')
        yield example.Step('training', 'train', 'train')
        assert (tmp_path / 'checkpoint').exists()
        yield example.Step('testing', last, 'test')

    monkeypatch.setattr(example, '_run', run)
    with pytest.raises(ToolError, match='stopped'):
        example.run_steps(steps('stop'), tmp_path, {})
    example.run_steps(steps('test'), tmp_path, {})
    example.run_steps(steps('test'), tmp_path, {})
    assert ran == ['make', 'train', 'stop', 'make', 'test', 'make']


def test_chance_has_the_proposals_and_no_knowledge():
    proposals = BoxTable(
        videos=np.array(['a/1', 'b/2']),
        video=np.repeat([0, 1], 500).astype(np.int32),
        frame=np.tile(np.arange(500), 2).astype(np.int32),
        boxes=np.random.rand(1000, 4).astype(np.float32),
        score=np.full(1000, 0.5, np.float32),
        frames_video=np.repeat([0, 1], 500).astype(np.int32),
        frames_frame=np.tile(np.arange(500), 2).astype(np.int32),
    )
    table = random_scores(proposals, ['b/2'], 4, seed=0)
    assert set(table.videos[table.video]) == {'b/2'}
    assert np.array_equal(table.boxes, proposals.boxes[500:])
    assert np.array_equal(table.frames_frame, np.arange(500))
    # a fifth for each class and background, times the box's score
    assert table.scores.mean(0) == pytest.approx(0.1, abs=0.01)
    assert (table.scores.sum(1) < 0.5).all()


def test_another_style_does_not_mix(example, tmp_path):
    settings = dict(style='jhmdb', seed=0, smoke=True)
    (tmp_path / 'settings.json').write_text(json.dumps(settings))
    refused = example('--style', 'ucf101_24', '--out', tmp_path)
    assert refused.returncode == 2
    assert 'made with other settings' in refused.stderr


def test_help_and_folder_of_others(example, tmp_path):
    said = example('--help')
    assert said.returncode == 0
    for option in ('--style', '--flow', '--smoke', '--seed', '--out'):
        assert option in said.stdout
    (tmp_path / 'mine.txt').write_text('x')
    refused = example('--out', tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.count('\n') == 1
    assert 'holds other files' in refused.stderr
