"""The benchmark scripts run, and count what they say they count."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

SMALL = dict(
    type='LGDResNet3d',
    depth=18,
    base_channels=4,
    conv1_kernel=(1, 7, 7),
    inflate=(0, 0, 0, 0),
    with_pool2=False,
)
SHAPE = (2, 3, 2, 32, 32)


@pytest.fixture()
def memory(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/benchmarks/activation_memory.py as a module."""
    monkeypatch.syspath_prepend(str(repo_root / 'tools' / 'benchmarks'))
    import activation_memory

    return activation_memory


def test_saved_bytes_of_a_closed_form(memory: ModuleType) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU())
    counter = memory.SavedBytes(net)
    with torch.autograd.graph.saved_tensors_hooks(counter.pack, lambda t: t):
        net(torch.randn(8, 3))
    # the layer keeps its input, the ReLU its output; the weight is its own
    assert counter.total == 4 * (8 * 3 + 8 * 5)


def test_shapes_alone_give_what_a_real_step_saves(memory: ModuleType) -> None:
    from mmaction.registry import MODELS

    network = MODELS.build(SMALL)
    counter = memory.SavedBytes(network)
    with torch.autograd.graph.saved_tensors_hooks(counter.pack, lambda t: t):
        network(torch.randn(SHAPE))
    total, largest, parameters = memory.measure(SMALL, SHAPE)
    # convolutions on the CPU and on meta agree but for scalars
    assert abs(total - counter.total) < 0.01 * counter.total
    assert parameters == sum(p.numel() for p in network.parameters())
    less, _, _ = memory.measure({**SMALL, 'with_cp': True}, SHAPE)
    assert less + largest < total


@pytest.mark.slow
@pytest.mark.parametrize('name', ['lgd3d_long_k400', 'lgd3d_long_flow_k600'])
def test_long_configs_state_their_memory(
    memory: ModuleType, repo_root: Path, name: str
) -> None:
    from mmengine.config import Config

    path = repo_root / 'configs' / f'{name}.py'
    said = re.search(
        r'on: ([\d.]+) GiB kept for the backward pass, ([\d.]+)\s',
        path.read_text(),
    )
    cfg = Config.fromfile(path)
    backbone = dict(cfg.model.backbone)
    batch = cfg.train_dataloader.batch_size
    shape = (batch, backbone.get('in_channels', 3), 128, 112, 112)
    plain, largest, _ = memory.measure({**backbone, 'with_cp': False}, shape)
    saved, _, _ = memory.measure({**backbone, 'with_cp': True}, shape)
    assert float(said[1]) == pytest.approx((saved + largest) / 2**30, abs=0.06)
    assert float(said[2]) == pytest.approx(plain / 2**30, abs=0.06)


@pytest.mark.slow
def test_training_step_benchmark_prints_a_table(repo_root: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            'tools/benchmarks/bench_train_step.py',
            *('configs/plain_2d_r50_k400.py', 'configs/lgd2d_r50_k400.py'),
            *('--batch', '1', '--frames', '3', '--size', '64'),
            *('--rounds', '2', '--warmup', '1', '--device', 'cpu'),
        ],
        cwd=repo_root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = re.findall(
        r'^\| (\w+(?:, stage \d)?) \| ([\d.]+) M', done.stdout, re.M
    )
    names, parameters = zip(*rows, strict=True)
    assert names == (
        'plain_2d_r50_k400',
        'lgd2d_r50_k400, stage 1',
        'lgd2d_r50_k400, stage 2',
    )
    # ResNet-50 with 400 classes; LGD adds 7.2 M, and its classifiers
    assert abs(float(parameters[0]) - 24.3) < 0.1
    assert abs(float(parameters[1]) - 38.9) < 0.1


@pytest.mark.slow
def test_reading_benchmark_compares_every_way(
    repo_root: Path, tmp_path: Path
) -> None:
    import cv2

    clip = tmp_path / 'clip.avi'
    code = cv2.VideoWriter_fourcc(*'MJPG')
    writer = cv2.VideoWriter(str(clip), code, 25, (96, 64))
    for i in range(40):
        writer.write(np.full((64, 96, 3), 5 * i, np.uint8))
    writer.release()
    command = [sys.executable, 'tools/benchmarks/bench_video_reading.py']
    done = subprocess.run(
        [*command, str(clip), '--rounds', '1', '--key-frames', '4']
        + ['--workers', '0'],
        cwd=repo_root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = re.findall(
        r'^\| (.+?) \| (.+?) \| [\d.]+ \| ([\d.]+) ', done.stdout, re.M
    )
    for read in ('1 x 16', '3 x 1', '15 x 16'):
        for reader in ('ours', 'stock', 'decord by path'):
            ratios = [float(r) for *name, r in rows if name == [read, reader]]
            assert len(ratios) == 2  # as it is, and re-encoded
            assert all(0 < ratio < 1000 for ratio in ratios)


@pytest.mark.slow
def test_metric_benchmark_counts_what_it_made(repo_root: Path) -> None:
    command = [sys.executable, 'tools/benchmarks/bench_tube_metric.py']
    small = ['--generate', '--videos', '4', '--frames', '200']
    done = subprocess.run(
        [*command, *small, '--classes', '3'],
        cwd=repo_root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = re.search(r'^4 videos, (\d+) frames, 20 boxes', done.stdout, re.M)
    assert said and 100 <= int(said[1]) <= 300
    assert re.search(r'evaluate\(\): [\d.]+ s', done.stdout)
    assert re.search(r'tube/video_mAP@0\.5: 0\.\d+', done.stdout)
