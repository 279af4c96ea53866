"""Detection from annotations as distributed to drawn tubes, in small."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from lgd_mmaction.detections import BoxTable
from lgd_mmaction.tubes import load_tubes

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
def test_every_step_of_two_streams(example, tmp_path):
    pytest.importorskip('mmdet')
    pytest.importorskip('mmcv.ops')
    out = tmp_path / 'all'
    done = example('--style', 'ucf101_24', '--flow', '--out', out)
    assert done.returncode == 0, done.stdout + done.stderr

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

    _keeps_what_is_there(example, out)


def _keeps_what_is_there(example, out: Path) -> None:
    kept = [out / 'rgb' / 'detections.npz', out / 'flow' / 'finished']
    before = [path.stat().st_mtime_ns for path in kept]
    again = example('--style', 'ucf101_24', '--flow', '--out', out)
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.count('in an earlier run: kept') == 4
    assert [path.stat().st_mtime_ns for path in kept] == before
    other = example('--style', 'jhmdb', '--out', out)
    assert other.returncode == 2
    assert 'made with other settings' in other.stderr


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
