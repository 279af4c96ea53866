"""Every config: builds, trains and tests a step, is documented, indexed."""

import copy
import functools
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted(
    path.relative_to(ROOT / 'configs').with_suffix('').as_posix()
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)
# boxes instead of labels: built, trained and tested in
# test_detection_configs.py
DETECTION = [c for c in CONFIGS if re.search('jhmdb|ucf101_24|tubes', c)]
RECOGNITION = [c for c in CONFIGS if c not in DETECTION]
# test_splits_differ_in_nothing_else: one split steps for all
STEPPED = [c for c in RECOGNITION if not re.search('split[23]', c)]
MAIN = [f'lgd{d}d_k{k}' for d in '23' for k in ('400', '600')]
# the others step among the slow tests
QUICK = {'lgd3d_k400', 'lgd2d_flow_k400', 'quickstart_lgd3d'}


@functools.cache
def parsed(name: str) -> Config:
    return Config.fromfile(ROOT / 'configs' / f'{name}.py')


def load(name: str) -> Config:
    return copy.deepcopy(parsed(name))


def slow_unless_quick(names: list[str]) -> list:
    return [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in names
    ]


def write_video(path: Path, frames: int, size: tuple[int, int]) -> None:
    """An mp4 whose frame i has the grey value 2 i + 20."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'mp4v'), 30, size
    )
    for i in range(frames):
        writer.write(np.full((size[1], size[0], 3), 2 * i + 20, np.uint8))
    writer.release()


def write_flow(folder: Path, frames: int, size: tuple[int, int]) -> None:
    """x falls from left to right; y is the same everywhere, 200 - frame."""
    folder.mkdir(parents=True)
    x = np.linspace(228, 28, size[0]).round().astype(np.uint8)
    for i in range(frames):
        for axis, image in (
            ('x', np.tile(x, (size[1], 1))),
            ('y', np.full(size[::-1], 200 - i, np.uint8)),
        ):
            file = folder / f'flow_{axis}_{i + 1:05d}.jpg'
            cv2.imwrite(str(file), image, [cv2.IMWRITE_JPEG_QUALITY, 100])


@pytest.fixture(scope='module')
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two 40-frame clips, as videos and as flow."""
    root = tmp_path_factory.mktemp('clips')
    for name in ('a', 'b'):
        write_video(root / f'{name}.mp4', 40, (96, 72))
        write_flow(root / name, 40, (96, 72))
    (root / 'videos.txt').write_text('a.mp4 0\nb.mp4 3\n')
    (root / 'rawframes.txt').write_text('a 40 0\nb 40 3\n')
    return root


def point_at(cfg: Config, clips: Path) -> None:
    """Let the loaders of a config read the generated clips."""
    for mode in ('train', 'val', 'test'):
        loader = cfg[f'{mode}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, drop_last=False)
        flow = loader.dataset.type.endswith('RawframeDataset')
        loader.dataset.ann_file = str(
            clips / ('rawframes.txt' if flow else 'videos.txt')
        )
        loader.dataset.data_prefix = {'img' if flow else 'video': str(clips)}


def shrink(cfg: Config) -> None:
    """A quarter of the size, few frames and views, narrow and shallow."""
    for mode in ('train', 'val', 'test'):
        loader = cfg[f'{mode}_dataloader']
        loader.batch_size = min(loader.batch_size, 2)
        pipeline = []
        for step in copy.deepcopy(loader.dataset.pipeline):
            if 'clip_len' in step:
                step['clip_len'] = min(step['clip_len'], 8)
                step['num_clips'] = min(step['num_clips'], 2)
            elif step['type'] == 'Resize':
                small = step.get('keep_ratio', True)
                step['scale'] = (-1, 40) if small else (32, 32)
            elif step['type'] == 'ThreeCrop':
                step['crop_size'] = 40  # the short side
            elif step['type'] == 'MultiScaleCrop':
                step['input_size'] = 32
            elif 'crop_size' in step:
                step['crop_size'] = 32
            elif 'size' in step:
                step['size'] = 32
            pipeline.append(step)
        loader.dataset.pipeline = pipeline
    backbone = cfg.model.backbone
    backbone.pretrained = None
    if backbone.type == 'SwinTransformer3D':
        backbone.pretrained2d = False
        backbone.arch = dict(
            embed_dims=12, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1]
        )
        cfg.model.neck.in_channels = 96
        channels = 96
    else:
        shallow = backbone.get('depth', 50) < 50
        if all(isinstance(i, int) for i in backbone.get('inflate', (1,))):
            backbone.stage_blocks = (1, 1, 1, 1)
        backbone.base_channels = 16
        channels = 128 if shallow else 512
    head = cfg.model.cls_head
    head.in_channels = channels * (2 if head.type == 'SlowFastHead' else 1)
    if 'sketch_dim' in head:
        head.sketch_dim //= 64
    if cfg.optim_wrapper.get('type') == 'AmpOptimWrapper':
        cfg.optim_wrapper.type = 'OptimWrapper'  # the stock one wants CUDA
    cfg.load_from = None


def first_batch(cfg: Config, mode: str) -> dict:
    loader = Runner.build_dataloader(cfg[f'{mode}_dataloader'], seed=0)
    return next(iter(loader))


# build and step


@pytest.mark.parametrize('name', slow_unless_quick(STEPPED))
def test_trains_both_stages_and_tests(name: str, clips: Path) -> None:
    cfg = load(name)
    point_at(cfg, clips)
    shrink(cfg)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    model.init_weights()
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    model.train()

    kernelized = cfg.model.cls_head.type == 'KernelizedHead'
    frozen = cfg.model.backbone.get('frozen_stages', -1) == 4
    stages = {1: set(), 2: {'cls'}} if kernelized else {0: {'cls'}}
    if kernelized:
        features = cfg.model.cls_head.get('features', ('local', 'global'))
        stages[1] = set(features)
    batch = first_batch(cfg, 'train')
    for stage, names in stages.items():
        if stage:
            model.cls_head.set_stage(stage)
        before = [p.detach().clone() for p in model.backbone.parameters()]
        log = model.train_step(copy.deepcopy(batch), optim)
        losses = {key for key in log if key.startswith('loss_')}
        assert losses == {f'loss_{n}' for n in names}
        assert torch.isfinite(log['loss'])
        after = list(model.backbone.parameters())
        moved = any(
            not torch.equal(a, b) for a, b in zip(before, after, strict=True)
        )
        assert moved != frozen

    model.eval()
    for mode in ('val', 'test'):
        samples = model.test_step(first_batch(cfg, mode))
        for sample in samples:
            score = sample.pred_score
            assert score.shape == (cfg.model.cls_head.num_classes,)
            assert score.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_full_size_networks_build() -> None:
    """Each distinct network, at full size, without memory for its weights."""
    seen = set()
    for name in RECOGNITION:
        model = load(name).model
        for key in ('num_classes', 'sketch_dim', 'signed_sqrt_l2'):
            model.cls_head.pop(key, None)
        for key in ('pretrained', 'norm_eval', 'with_cp', 'frozen_stages'):
            model.backbone.pop(key, None)
        key = json.dumps(model.to_dict(), sort_keys=True)
        # Swin's drop path rates are numbers read from a tensor
        if key in seen or 'swin' in name:
            continue
        seen.add(key)
        with torch.device('meta'):
            model = MODELS.build(load(name).model)
        assert sum(p.numel() for p in model.parameters()) > 5e5
    assert len(seen) > 20


@pytest.mark.parametrize(
    ('dims', 'depth', 'millions'),
    [('2d', 'r50_', 7.24), ('3d', 'r50_', 7.24)]
    + [('2d', '', 13.98), ('3d', '', 13.98)],
)
def test_diffusion_adds_the_papers_parameters(
    dims: str, depth: str, millions: float
) -> None:
    sizes = []
    for name in (f'lgd{dims}_{depth}k400', f'plain_{dims}_{depth}k400'):
        with torch.device('meta'):
            backbone = MODELS.build(load(name).model.backbone)
        sizes.append(sum(p.numel() for p in backbone.parameters()))
    assert (sizes[0] - sizes[1]) / 1e6 == pytest.approx(millions, rel=0.01)


def test_plain_2d_r50_is_resnet50() -> None:
    with torch.device('meta'):
        backbone = MODELS.build(load('plain_2d_r50_k400').model.backbone)
    # torchvision's 25,557,032 less its classifier
    assert sum(p.numel() for p in backbone.parameters()) == 23_508_032


# ------------------------------------------------------------- conventions


@pytest.mark.parametrize('name', RECOGNITION)
def test_conventions(name: str) -> None:
    cfg = load(name)
    assert cfg.default_scope == 'mmaction'
    assert cfg.custom_imports.imports == ['lgd_mmaction']
    assert cfg.find_unused_parameters is True
    assert cfg.model.type == 'Recognizer3D'
    assert cfg.model.cls_head.average_clips == 'prob'
    # demos and the inferencer take it from the top level
    # (_scope_: mmengine's mark on what came from mmaction::)
    for step in cfg.test_pipeline:
        step.pop('_scope_', None)
    assert cfg.test_pipeline == cfg.test_dataloader.dataset.pipeline
    assert cfg.test_dataloader.batch_size == 1
    assert cfg.test_dataloader.dataset.test_mode is True
    if cfg.model.get('test_cfg', {}).get('max_testing_views'):
        assert cfg.val_dataloader.batch_size == 1
    own = not name.startswith(('examples/', 'quickstart'))
    if own:
        batch = {'lgd3d_long': 16}.get(name[:10], 128 if '2d' in name else 64)
        assert cfg.train_dataloader.batch_size * 8 == batch
        assert cfg.auto_scale_lr.base_batch_size == batch


@pytest.mark.parametrize('name', RECOGNITION)
def test_stages_and_checkpoints(name: str) -> None:
    cfg = load(name)
    epochs = cfg.train_cfg.max_epochs
    hooks = [
        h for h in cfg.get('custom_hooks', []) if h.type == 'TwoStageHook'
    ]
    assert len(hooks) == (cfg.model.cls_head.type == 'KernelizedHead')
    for hook in hooks:
        one_stage = ('probes/', 'long', 'linear', 'one_stage')
        if not any(part in name for part in one_stage):
            assert 0 < hook.switch_epoch < epochs
    for scheduler in cfg.param_scheduler:
        if scheduler.get('by_epoch', True):
            assert scheduler.get('end', epochs) <= epochs
    if cfg.load_from:
        # the last checkpoint of a run of another config of ours
        stem, number = re.fullmatch(
            r'work_dirs/(\w+)/epoch_(\d+)\.pth', cfg.load_from
        ).groups()
        source = load(stem)
        assert source.train_cfg.max_epochs == int(number)
        for key in ('type', 'depth', 'pseudo3d', 'in_channels'):
            assert cfg.model.backbone.get(key) == source.model.backbone.get(
                key
            )
        # its weights are not overwritten by a download first
        assert cfg.model.backbone.pretrained is None
    else:
        assert 'split' not in name and 'long' not in name


def test_the_papers_configs() -> None:
    for name in MAIN:
        cfg = load(name)
        assert cfg.model.backbone.depth == 101
        assert cfg.model.backbone.pretrained == 'torchvision://resnet101'
        assert cfg.model.cls_head.num_classes == int(name[-3:])
        assert cfg.optim_wrapper.optimizer.lr == 0.01
        assert cfg.model.backbone.diffusion.form == 'both'


@pytest.mark.parametrize('name', CONFIGS)
def test_leaves_are_short_and_say_what_they_are(name: str) -> None:
    lines = (ROOT / 'configs' / f'{name}.py').read_text().splitlines()
    start = next(i for i, x in enumerate(lines) if not x.startswith('#'))
    assert 'Numbers: docs/configs.md' in ' '.join(lines[:start])
    code = [line for line in lines[start:] if line]
    assert code[0].startswith('_base_ = ')
    if name.startswith('quickstart'):
        assert len(code) <= 90
    elif re.search('split[23]$', name):
        assert len(code) <= 4
    else:
        assert len(code) <= 20


@pytest.mark.parametrize('name', [n for n in CONFIGS if n[-6:-1] == 'split'])
def test_splits_differ_in_nothing_else(name: str) -> None:
    cfg, first = load(name), load(name[:-1] + '1')
    for each in (cfg, first):
        for mode in ('train', 'val', 'test'):
            number = each[f'{mode}_dataloader'].dataset.pop('split', None)
            file = each[f'{mode}_dataloader'].dataset.pop('ann_file')
            split = re.search(r'split_(\d)', file)
            wanted = name[-1] if each is cfg else '1'
            assert wanted == (split[1] if split else str(number))
        for mode in ('val', 'test'):
            number = each[f'{mode}_evaluator'].pop('split', None)
            assert number in (None, int(wanted))
    assert cfg.to_dict() == first.to_dict()
