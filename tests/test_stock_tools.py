"""The stock interfaces of the installed mmaction2, run for real.

A small LGD-3D learns two classes of generated clips through both stages. What
runs here are the scripts and functions of the installed packages themselves,
in processes of their own, with nothing patched: the config's
``custom_imports`` is all they know of this package.
"""

import os
import pickle
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from PIL import Image

from lgd_mmaction.launch.stock_tools import stock_tools_dir
from tests.forks import run_forked

# one worker trains once for all of them
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('stock_tools')]

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
    repo = Path(__file__).resolve().parents[1]
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
    from lgd_tools.synthetic.generate_clips import generate_dataset

    folder = tmp_path_factory.mktemp('stock')
    generate_dataset(
        folder / 'clips',
        classes=('left', 'right'),
        train_per_class=4,
        val_per_class=2,
        size=(32, 40),
        frames=8,
        name='clips',
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


def test_stock_train_runs_both_stages(trained: Trained) -> None:
    assert trained.checkpoint.is_file()
    first, second = (
        ''.join(
            line
            for line in trained.log.splitlines()
            if f'Epoch(train) [{epoch}]' in line
        )
        for epoch in (1, 2)
    )
    assert 'loss_local' in first and 'loss_global' in first
    assert 'loss_cls' not in first
    # (mmengine goes on to print the last value of the others)
    assert 'loss_cls' in second


def test_stock_test_multi_clip(trained: Trained, tmp_path: Path) -> None:
    script = stock_tools_dir() / 'test.py'
    dump = tmp_path / 'scores.pkl'
    done = run(
        sys.executable,
        script,
        trained.config,
        trained.checkpoint,
        '--work-dir',
        tmp_path,
        '--dump',
        dump,
        cwd=tmp_path,
    )
    rows = pickle.loads(dump.read_bytes())
    assert len(rows) == 4
    right = sum(
        int(row['pred_score'].argmax() == row['gt_label']) for row in rows
    )
    assert top1(done.stdout + done.stderr) == pytest.approx(right / 4)
    # one view at a time (max_testing_views) gives the same scores
    views = tmp_path / 'views.pkl'
    run(
        sys.executable,
        script,
        trained.config,
        trained.checkpoint,
        '--work-dir',
        tmp_path,
        '--dump',
        views,
        '--cfg-options',
        'model.test_cfg.max_testing_views=1',
        cwd=tmp_path,
    )
    for one, other in zip(rows, pickle.loads(views.read_bytes()), strict=True):
        torch.testing.assert_close(
            one['pred_score'], other['pred_score'], atol=1e-5, rtol=0
        )


def test_stock_resume(trained: Trained, tmp_path: Path) -> None:
    """Resumed after stage 1, it ends with the weights of one run."""
    shutil.copy(trained.checkpoint.with_name('epoch_1.pth'), tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    done = run(
        sys.executable,
        stock_tools_dir() / 'train.py',
        trained.config,
        '--work-dir',
        tmp_path,
        '--resume',
        cwd=tmp_path,
    )
    assert 'resumed epoch: 1' in done.stdout + done.stderr
    whole = torch.load(trained.checkpoint)['state_dict']
    resumed = torch.load(tmp_path / 'epoch_2.pth')['state_dict']
    assert whole.keys() == resumed.keys()
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key


@pytest.fixture(scope='session')
def real_clip(shared_data: Path) -> Path:
    return shared_data / 'smoke' / 'demo.mp4'


INFER = """
import sys
from mmaction.apis import (MMAction2Inferencer, inference_recognizer,
                           init_recognizer)
config, checkpoint, video = sys.argv[1:]
model = init_recognizer(config, checkpoint, device='cpu')
# as the inferencer, which takes one clip of a video
for step in model.cfg.test_pipeline:
    if step['type'] == 'SampleFrames':
        step['num_clips'] = 1
scores = inference_recognizer(model, video).pred_score
print('a', scores.tolist())
inferencer = MMAction2Inferencer(rec=config, rec_weights=checkpoint,
                                 device='cpu')
out = inferencer(video)['predictions'][0]
print('b', out['rec_scores'][0])
"""


def check_inference(trained: Trained, video: Path, cwd: Path) -> None:
    done = run(
        sys.executable,
        '-c',
        INFER,
        trained.config,
        trained.checkpoint,
        video,
        cwd=cwd,
    )
    a, b = (
        eval(re.findall(rf'^{name} (\[.*\])$', done.stdout, re.M)[0])
        for name in 'ab'
    )
    assert len(a) == 2 and sum(a) == pytest.approx(1, abs=1e-4)
    assert a == pytest.approx(b, abs=1e-5)


def test_inference_on_a_generated_clip(
    trained: Trained, tmp_path: Path
) -> None:
    video = sorted(trained.videos.rglob('*.mp4'))[0]
    check_inference(trained, video, tmp_path)


def test_inference_on_a_real_clip(
    trained: Trained, real_clip: Path, tmp_path: Path
) -> None:
    check_inference(trained, real_clip, tmp_path)


def test_get_flops(trained: Trained, tmp_path: Path) -> None:
    done = run(
        sys.executable,
        stock_tools_dir() / 'analysis_tools' / 'get_flops.py',
        trained.config,
        '--shape',
        '1',
        '3',
        '4',
        '32',
        '32',
        cwd=tmp_path,
    )
    flops, params = re.search(
        r'Flops: ([\d.]+)M?\w*\s+Params: ([\d.]+)', done.stdout
    ).groups()
    assert float(flops) > 0 and float(params) > 0
    # the tool reads the config's numbers, so does this
    from mmaction.registry import MODELS
    from mmengine.config import Config

    model = MODELS.build(Config.fromfile(trained.config).model)
    count = sum(p.numel() for p in model.backbone.parameters())
    assert float(params) == pytest.approx(count / 1e6, rel=0.01)


def test_grad_cam_on_an_lgd_block(trained: Trained, tmp_path: Path) -> None:
    """vis_cam.py writes a gif; its map differs by place."""
    video = sorted(trained.videos.rglob('*.mp4'))[0]
    script = stock_tools_dir() / 'visualizations' / 'vis_cam.py'
    layer = 'backbone/layer4/1/local_out'
    run(
        sys.executable,
        script,
        trained.config,
        trained.checkpoint,
        video,
        '--device',
        'cpu',
        '--target-layer-name',
        layer,
        '--out-filename',
        tmp_path / 'cam.gif',
        cwd=tmp_path,
    )
    with Image.open(tmp_path / 'cam.gif') as gif:
        assert gif.n_frames == 12  # 3 clips of 4 frames
    from mmaction.apis import init_recognizer
    from mmaction.utils import GradCAM

    vis_cam = runpy.run_path(str(script))
    model = init_recognizer(
        str(trained.config), str(trained.checkpoint), device='cpu'
    )
    inputs = vis_cam['build_inputs'](model, str(video))
    images, scores = GradCAM(model, layer)(inputs)
    assert images.shape[-1] == 3 and torch.isfinite(images).all()
    assert images.std() > 0
    assert scores.shape[-1] == 2


@pytest.fixture(scope='module')
def our_scores(
    trained: Trained,
    repo_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> torch.Tensor:
    """What tools/test.py dumps, in the order of the list."""
    folder = tmp_path_factory.mktemp('ours')
    done = run_forked(
        repo_root / 'tools' / 'test.py',
        *(trained.config, trained.checkpoint, '--work-dir', folder),
        *('--dump', folder / 'scores.pkl'),
        cwd=folder,
        logs=folder,
    )
    assert done.returncode == 0, done.stderr
    return scores_of(folder / 'scores.pkl')


def scores_of(path: Path) -> torch.Tensor:
    rows = pickle.loads(path.read_bytes())
    return torch.stack([row['pred_score'] for row in rows])


def test_own_scripts_are_the_stock_ones(
    trained: Trained,
    our_scores: torch.Tensor,
    repo_root: Path,
    tmp_path: Path,
) -> None:
    """tools/test.py gives the stock test.py's result and its --help."""
    run(
        sys.executable,
        stock_tools_dir() / 'test.py',
        *(trained.config, trained.checkpoint, '--work-dir', tmp_path),
        *('--dump', tmp_path / 'stock.pkl'),
        cwd=tmp_path,
    )
    assert our_scores.shape == (4, 2)
    assert torch.equal(our_scores, scores_of(tmp_path / 'stock.pkl'))
    for name in ('train.py', 'test.py'):
        ours, stock = (
            run_forked(tools / name, '--help', cwd=tmp_path, logs=tmp_path)
            for tools in (repo_root / 'tools', stock_tools_dir())
        )
        assert stock.stdout.startswith('usage: ')
        assert ours.stdout.endswith(stock.stdout)
        assert ours.stdout.startswith(('Train', 'Test'))  # with an example


def test_dist_test(
    trained: Trained,
    our_scores: torch.Tensor,
    repo_root: Path,
    tmp_path: Path,
) -> None:
    """Two processes over gloo see each clip once and agree with one."""
    import socket

    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    run(
        *('bash', repo_root / 'tools' / 'dist_test.sh'),
        *(trained.config, trained.checkpoint, '2', '--work-dir', tmp_path),
        *('--dump', tmp_path / 'two.pkl'),
        cwd=tmp_path,
        PORT=str(port),
        PYTHON=sys.executable,
    )
    two = scores_of(tmp_path / 'two.pkl')
    torch.testing.assert_close(our_scores, two, atol=1e-5, rtol=0)


@pytest.fixture(scope='session')
def mim(
    tmp_path_factory: pytest.TempPathFactory, repo_root: Path
) -> tuple[Path, Path]:
    """The command ``mim`` and a folder with our wheel installed in it.

    mim looks for a package beside its metadata, where an editable install
    has none of its files.
    """
    command = Path(os.environ.get('LGD_MIM', Path(sys.prefix) / 'bin' / 'mim'))
    if not command.is_file():
        pytest.skip(
            f'there is no {command}; make it with: '
            'bash tools/setup_env.sh full test'
        )
    folder = tmp_path_factory.mktemp('mim')
    shutil.copytree(
        repo_root,
        folder / 'repo',
        symlinks=True,
        ignore=shutil.ignore_patterns(
            '.git', '.venv', 'data', 'work_dirs', '*.egg-info', 'build'
        ),
    )
    run(
        sys.executable,
        '-m',
        'pip',
        'install',
        '--no-deps',
        '--no-build-isolation',
        '--target',
        folder / 'site',
        folder / 'repo',
        cwd=folder,
    )
    return command, folder / 'site'


def test_mim_train_and_test(
    mim: tuple[Path, Path], small_config: Path, tmp_path: Path
) -> None:
    """``mim train lgd_mmaction``, ``mim test`` of both packages."""
    command, site = mim
    env = {
        'PYTHONPATH': str(site),
        'PATH': f'{command.parent}{os.pathsep}{os.environ["PATH"]}',
    }
    done = run(
        command,
        'train',
        'lgd_mmaction',
        small_config,
        '--gpus',
        '0',
        '--work-dir',
        tmp_path,
        cwd=tmp_path,
        **env,
    )
    assert 'Training finished successfully' in done.stdout
    assert str(site / 'lgd_mmaction' / '.mim' / 'tools') in done.stdout
    results = []
    for package in ('lgd_mmaction', 'mmaction2'):
        done = run(
            command,
            'test',
            package,
            small_config,
            '--checkpoint',
            tmp_path / 'epoch_2.pth',
            '--gpus',
            '0',
            '--work-dir',
            tmp_path / package,
            cwd=tmp_path,
            **env,
        )
        assert 'Testing finished successfully' in done.stdout
        results.append(top1(done.stdout + done.stderr))
    assert results[0] == results[1]
