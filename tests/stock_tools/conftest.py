"""A small LGD-3D, trained once by the stock script for all of these tests."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from lgd_mmaction.launch.stock_tools import stock_tools_dir

CONFIG = """
_base_ = {base!r}
root = {root!r}
pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=4, frame_interval=1, num_clips=1,
         test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 32)),
    dict(type='CenterCrop', crop_size=32),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=4, frame_interval=1, num_clips=3,
         test_mode=True),
    *pipeline[2:],
]
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    dataset=dict(ann_file=root + '/clips_train_list_videos.txt',
                 data_prefix=dict(video=root + '/videos_train'),
                 pipeline=pipeline))
val_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    dataset=dict(ann_file=root + '/clips_val_list_videos.txt',
                 data_prefix=dict(video=root + '/videos_val'),
                 pipeline=pipeline))
test_dataloader = dict(
    batch_size=1, num_workers=0, persistent_workers=False,
    dataset=dict(ann_file=root + '/clips_val_list_videos.txt',
                 data_prefix=dict(video=root + '/videos_val'),
                 pipeline=test_pipeline))
model = dict(
    backbone=dict(base_channels=8),
    cls_head=dict(num_classes=2, in_channels=64, sketch_dim=64))
train_cfg = dict(max_epochs=2)
custom_hooks = [dict(type='TwoStageHook', switch_epoch=1)]
env_cfg = dict(dist_cfg=dict(backend='gloo'))
randomness = dict(seed=0)
"""


class Trained(NamedTuple):
    """A training run by the stock train.py."""

    config: Path
    checkpoint: Path
    log: str
    videos: Path


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with our package on the path."""
    repo = Path(__file__).resolve().parents[2]
    path = os.pathsep.join(
        p for p in (str(repo), os.environ.get('PYTHONPATH')) if p
    )
    return {
        **os.environ,
        'PYTHONPATH': path,
        'OMP_NUM_THREADS': '1',
        'PYTHONWARNINGS': 'ignore',
        'MPLBACKEND': 'Agg',
        **more,
    }


def run(
    *command: str | Path, cwd: Path, ok: bool = True, **env: str
) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if ok:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope='session')
def small_config(
    tmp_path_factory: pytest.TempPathFactory, repo_root: Path
) -> Path:
    """The quickstart's config shrunk, over eight generated clips."""
    from lgd_tools.synthetic import generate_clips

    folder = tmp_path_factory.mktemp('stock')
    generate_clips.main(
        ['--out', str(folder / 'clips'), '--classes', 'left', 'right']
        + ['--train-per-class', '4', '--val-per-class', '2']
        + ['--size', '40x32', '--frames', '8', '--name', 'clips']
        + ['--workers', '1']
    )
    config = folder / 'small.py'
    config.write_text(
        CONFIG.format(
            base=str(repo_root / 'configs' / 'quickstart_lgd3d.py'),
            root=str(folder / 'clips'),
        )
    )
    return config


@pytest.fixture(scope='session')
def trained(small_config: Path) -> Trained:
    """Two epochs with the stock train.py, one of each stage."""
    folder = small_config.parent
    done = run(
        sys.executable,
        stock_tools_dir() / 'train.py',
        small_config,
        '--work-dir',
        folder / 'work',
        cwd=folder,
    )
    return Trained(
        small_config,
        folder / 'work' / 'epoch_2.pth',
        done.stdout + done.stderr,
        folder / 'clips' / 'videos_val',
    )


def top1(text: str) -> float:
    """The last top-1 accuracy in a log."""
    return float(re.findall(r'acc/top1: ([\d.]+)', text)[-1])
