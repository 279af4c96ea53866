"""The benchmark scripts run, and count what they say they count."""

import json
import re
import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from lgd_mmaction.detection.annotations import (
    Tube,
    TubeAnnotations,
    TubeVideo,
    save_tubes,
)
from lgd_mmaction.errors import ConfigError
from lgd_tools import benchmark_counts as counts
from lgd_tools import benchmark_networks as networks
from tests.warm import PYTHON

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
@pytest.mark.parametrize('frames', [32, 128])
def test_the_table_of_long_clips(
    memory: ModuleType, repo_root: Path, frames: int
) -> None:
    from mmengine.config import Config

    said = re.search(
        rf'^\| {frames} \|.*\| ([\d.]+) \| ([\d.]+) \|$',
        (repo_root / 'docs' / 'results.md').read_text(),
        re.M,
    )
    cfg = Config.fromfile(repo_root / 'configs' / 'lgd3d_long_k400.py')
    backbone, shape = dict(cfg.model.backbone), (1, 3, frames, 112, 112)
    plain, largest, _ = memory.measure({**backbone, 'with_cp': False}, shape)
    saved, _, _ = memory.measure({**backbone, 'with_cp': True}, shape)
    assert float(said[1]) == pytest.approx(plain / 2**30, abs=0.006)
    assert float(said[2]) == pytest.approx(
        (saved + largest) / 2**30, abs=0.006
    )


def test_flops_and_bytes_of_a_closed_form() -> None:
    layer = torch.nn.Linear(3, 5, bias=False)
    x = torch.randn(8, 3, requires_grad=True)
    assert counts.flops(lambda: layer(x)) == 2 * 8 * 3 * 5
    # once forward, and for the gradients of input and weight
    step = counts.flops(lambda: layer(x).sum().backward())
    assert step == 3 * 2 * 8 * 3 * 5
    with torch.no_grad():
        assert counts.traffic(lambda: x.view(3, 8)) == 0
        moved = counts.traffic(lambda: torch.mm(x, x.T))
    assert moved == 4 * (8 * 3 + 8 * 3 + 8 * 8)


def test_peak_memory_of_a_closed_form() -> None:
    x = torch.ones(2**16)

    def step() -> None:
        a = x + 1
        b = a + 1  # two at once
        del a
        assert (b + 1)[0] == 4  # again two
        del b

    assert counts.peak_memory(step, 'cpu') == pytest.approx(
        2 * 4 * 2**16, rel=0.01
    )


@pytest.mark.slow
def test_stock_code_is_the_same_network(repo_root: Path) -> None:
    source = str(repo_root / 'configs' / 'plain_3d_r50_k400.py')
    (ours,) = networks.build(source, None, 4, 32)
    (stock,) = networks.build(f'stock:{source}', None, 4, 32)
    assert type(stock.backbone).__name__ == 'ResNet3d'
    assert stock.name == 'plain_3d_r50_k400, stock code'
    # the same weights in the same order under other names
    weights = ours.model.state_dict()
    assert [v.shape for v in weights.values()] == [
        v.shape for v in stock.model.state_dict().values()
    ]
    names = stock.model.state_dict()
    for weight in weights.values():
        if weight.ndim == 5 and weight.shape[2] == 3:
            weight.normal_(std=0.05)  # no identity in time
    stock.model.load_state_dict(
        dict(zip(names, weights.values(), strict=True))
    )
    clips = torch.randn(2, 3, 4, 32, 32)
    with torch.no_grad():
        a, b = ours.model.eval()(clips), stock.model.eval()(clips)
    assert a.shape == (2, 400)
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert a.std() > 0


def test_stock_code_refuses_a_global_path(repo_root: Path) -> None:
    source = repo_root / 'configs' / 'lgd3d_r50_k400.py'
    with pytest.raises(ConfigError, match='takes a config with diffusion='):
        networks.build(f'stock:{source}', None, 4, 32)


def test_channels_last_reaches_weights_and_input() -> None:
    network = torch.nn.Conv3d(2, 4, 3)
    seen = []
    networks.to_channels_last(network)
    network.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    network(torch.randn(1, 2, 4, 4, 4))
    layout = torch.channels_last_3d
    assert seen[0].is_contiguous(memory_format=layout)
    assert network.weight.is_contiguous(memory_format=layout)


@pytest.mark.slow
def test_a_prefix_gives_one_network_the_layout(repo_root: Path) -> None:
    source = str(repo_root / 'configs' / 'plain_3d_r50_k400.py')
    (ours,) = networks.build(f'channels_last:{source}', None, 4, 32)
    assert ours.backbone.channels_last is True
    assert ours.name == 'plain_3d_r50_k400, channels-last'
    (stock,) = networks.build(f'channels_last:stock:{source}', False, 4, 32)
    assert stock.name == 'plain_3d_r50_k400, stock code, channels-last'
    assert stock.backbone.conv1.conv.weight.is_contiguous(
        memory_format=torch.channels_last_3d
    )


@pytest.mark.slow
@pytest.mark.parametrize('options', [(), ('--test', '--dtype', 'bf16')])
def test_training_step_benchmark_prints_a_table(
    repo_root: Path, tmp_path: Path, options: tuple
) -> None:
    done = subprocess.run(
        [
            PYTHON,
            'tools/benchmarks/bench_train_step.py',
            *('configs/plain_2d_r50_k400.py', 'configs/lgd2d_r50_k400.py'),
            *('--batch', '1', '--frames', '3', '--size', '64'),
            *('--rounds', '2', '--warmup', '1', '--device', 'cpu'),
            *('--peak-tflops', '1', '--peak-gbs', '100'),
            *('--json', str(tmp_path / 'numbers.json')),
            *('--profile', str(tmp_path / 'profile'), *options),
        ],
        cwd=repo_root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = re.findall(
        r'^\| (\w+(?:, stage \d)?) \| ([\d.]+) M \| ([\d.]+) \|',
        done.stdout,
        re.M,
    )
    names, parameters, gmac = zip(*rows, strict=True)
    assert names == (
        'plain_2d_r50_k400',
        'lgd2d_r50_k400, stage 1',
        'lgd2d_r50_k400, stage 2',
    )
    # ResNet-50 with 400 classes; LGD adds 7.2 M, and its classifiers
    assert abs(float(parameters[0]) - 24.3) < 0.1
    assert abs(float(parameters[1]) - 38.9) < 0.1
    # a frame of 224 x 224 is 4.09
    assert float(gmac[0]) == pytest.approx(3 * 4.09 * (64 / 224) ** 2, abs=0.1)
    numbers = json.loads((tmp_path / 'numbers.json').read_text())
    assert [r['network'] for r in numbers] == list(names)
    assert numbers[0]['time_ratio'] == 1
    assert all(r['step_memory_gib'] > 0 for r in numbers)
    assert all(r['roofline_share'] > 0 for r in numbers)
    a, b = (r['times'] for r in numbers[:2])
    assert numbers[1]['time_ratio_min'] == min(b[0] / a[0], b[1] / a[1])
    made = {p.name for p in (tmp_path / 'profile').iterdir()}
    assert {'plain_2d_r50_k400.png', 'plain_2d_r50_k400.json.gz'} <= made
    assert len(made) == 6


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
    command = [PYTHON, 'tools/benchmarks/bench_video_reading.py']
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
def test_metric_benchmark_counts_what_it_made(
    repo_root: Path, tmp_path: Path
) -> None:
    walk = np.cumsum(np.full((60, 4), 2, np.float32), 0) + [10, 20, 50, 90]
    videos = {
        f'c{k}/v': TubeVideo(f'c{k}/v', 60, 320, 240, (Tube(k, 0, walk),))
        for k in range(3)
    }
    split = {'train': [], 'test': [*videos]}
    names = ('c0', 'c1', 'c2')
    truth = TubeAnnotations('made', names, {'1': split}, videos)
    save_tubes(truth, tmp_path / 'tubes.json')
    command = [PYTHON, 'tools/benchmarks/bench_tube_metric.py']
    done = subprocess.run(
        [*command, '--ann', str(tmp_path / 'tubes.json')],
        cwd=repo_root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert '3 videos, 180 frames, 20 boxes a frame, 3 classes' in done.stdout
    assert re.search(r'evaluate\(\): [\d.]+ s', done.stdout)
    assert re.search(r'tube/video_mAP@0\.5: 0\.\d+', done.stdout)
