"""The detection configs: what they agree on, and that they train and test."""

import copy
import functools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.runner import Runner

from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.errors import DataError
from tests.datasets import tiny_tubes as tiny

ROOT = Path(__file__).resolve().parents[2]

JHMDB = [
    f'lgd{d}d{flow}_jhmdb_split{split}'
    for d in '23'
    for flow in ('', '_flow')
    for split in '123'
]
UCF = [f'lgd{d}d{flow}_ucf101_24' for d in '23' for flow in ('', '_flow')]
ABLATIONS = [
    f'ablations/lgd3d_{name}'
    for name in (
        'jhmdb_split1_global',
        'jhmdb_split1_local',
        'jhmdb_split1_plain',
        'ucf101_24_background',
    )
]
CONFIGS = JHMDB + UCF + ABLATIONS


@functools.cache
def parsed(name: str) -> Config:
    return Config.fromfile(ROOT / 'configs' / f'{name}.py')


def load(name: str) -> Config:
    return copy.deepcopy(parsed(name))


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('tubes')
    tiny.make(folder)
    return folder


# ------------------------------------------------------------- conventions


def test_every_detection_config_is_tested() -> None:
    found = {
        path.relative_to(ROOT / 'configs').with_suffix('').as_posix()
        for path in (ROOT / 'configs').rglob('*.py')
        if '_base_' not in path.parts
        and re.search('jhmdb|ucf101_24', path.name)
    }
    assert found == set(CONFIGS)


@pytest.mark.parametrize('name', CONFIGS)
def test_conventions(name: str) -> None:
    cfg = load(name)
    flow, is_3d = '_flow' in name, 'lgd3d' in name
    split = int(re.search(r'split(\d)', name)[1]) if 'split' in name else 1
    classes = 21 if 'jhmdb' in name else 24
    background = name.endswith('background')
    loaders = [cfg[f'{m}_dataloader'] for m in ('train', 'val', 'test')]
    for loader in loaders:
        data = loader.dataset
        assert data.type == 'ActionTubeDataset'
        assert data.split == split
        assert (data.get('modality') == 'Flow') == flow
        folder = next(iter(data.data_prefix.values()))
        assert ('flow' in folder) == flow
        assert folder.endswith('_240') == (flow and not is_3d)
        sample = [s for s in data.pipeline if s.type == 'SampleKeyFrames']
        wanted = (16, 1) if is_3d else (3, 8)
        got = [(s['clip_len'], s['frame_interval']) for s in sample]
        assert got == [wanted]
    train, *tests = loaders
    assert train.dataset.subset == 'train'
    assert 'proposal_file' in train.dataset or not background
    for loader in tests:
        assert loader.batch_size == 1  # AVARoIHead takes no more
        assert loader.dataset.subset == 'test' and loader.dataset.test_mode
        # the metric counts untested frames as missed
        assert 'frame_stride' not in loader.dataset
        assert loader.dataset.proposal_file.endswith('_proposals.npz')
        # without them the metric knows neither frame nor proposal
        meta = loader.dataset.pipeline[-1].meta_keys
        assert {'video_id', 'timestamp', 'proposal_scores'} <= set(meta)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert evaluator.type == 'TubeMetric'
        assert evaluator.split == split and evaluator.subset == 'test'
        assert evaluator.ann_file == train.dataset.ann_file
        # untrimmed videos only
        assert ('trimming' in evaluator) == ('ucf' in name)
    model, head = cfg.model, cfg.model.roi_head.bbox_head
    assert model.backbone.depth == 101 and model.backbone.pretrained is None
    assert model.backbone.get('in_channels', 3) == (2 if flow else 3)
    assert len(model.data_preprocessor.mean) == (2 if flow else 3)
    assert head.num_classes == classes + background
    assert (head.type == 'BackgroundBBoxHead') == background
    assert head.in_channels == 2048 * len(model.neck.features)
    assert not head.multilabel and not head.background_class
    assert cfg.test_pipeline == cfg.test_dataloader.dataset.pipeline
    # clips of a batch have one size: padding is a motion in normalised flow
    steps = cfg.train_pipeline + cfg.test_pipeline
    sizes = [step for step in steps if 'Resize' in step.type]
    assert [step.scale for step in sizes] == [(-1, 240)] * 2
    assert not any('Random' in step.type for step in steps)
    batch = train.batch_size * 8
    assert cfg.auto_scale_lr.base_batch_size == batch
    # one rate a clip
    assert cfg.optim_wrapper.optimizer.lr / batch == 0.01 / 64


def test_splits_and_data_sets_share_their_networks() -> None:
    for name in JHMDB + UCF:
        first = re.sub('_jhmdb.*|_ucf.*', '_jhmdb_split1', name)
        cfg, other = load(name), load(first)
        assert cfg.load_from == other.load_from
        for each in (cfg, other):
            each.model.roi_head.bbox_head.pop('num_classes')
        assert cfg.model == other.model


@pytest.mark.parametrize(
    'name',
    [
        'lgd3d_jhmdb_split1',
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                'lgd2d_jhmdb_split1',
                'lgd2d_flow_jhmdb_split1',
                'lgd3d_flow_jhmdb_split1',
                *ABLATIONS[1:],
            )
        ),
    ],
)
def test_weights_of_the_recognition_config_fit(name: str) -> None:
    """All but the classifier is loaded, strides and RoI pooling aside."""
    cfg = load(name)
    stem, epoch = re.fullmatch(
        r'work_dirs/(\w+)/epoch_(\d+)\.pth', cfg.load_from
    ).groups()
    source = load(stem)
    assert source.train_cfg.max_epochs == int(epoch)
    with torch.device('meta'):
        ours = MODELS.build(cfg.model)
        theirs = MODELS.build(source.model)
    mine = {
        key: value.shape
        for key, value in ours.state_dict().items()
        if not key.startswith('roi_head.bbox_head.fc_cls')
    }
    other = {k: v.shape for k, v in theirs.state_dict().items()}
    assert mine == {
        key: shape
        for key, shape in other.items()
        if key.startswith('backbone.')
    }


# ---------------------------------------------------------- train and test


def shrink(cfg: Config, root: Path) -> Config:
    """A narrow ResNet-18 on the hand-made data set."""
    video = cfg.test_pipeline[0].type == 'VideoOpen'
    flow = cfg.model.backbone.get('in_channels') == 2
    folder = 'videos' if video else 'flow' if flow else 'rawframes'
    background = cfg.train_dataloader.dataset.get('background', False)
    for mode in ('train', 'val', 'test'):
        loader = cfg[f'{mode}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        data = loader.dataset
        data.ann_file = str(root / 'tubes.json')
        data.data_prefix = {'video' if video else 'img': str(root / folder)}
        if 'proposal_file' in data:
            data.proposal_file = str(root / 'proposals.npz')
        for step in data.pipeline:
            if step.type == 'Resize':
                step.scale = (-1, 60)
            elif step.type == 'SampleKeyFrames':
                step.clip_len = min(step.clip_len, 8)
                step.frame_interval = 1
    for key in ('val_evaluator', 'test_evaluator'):
        cfg[key].ann_file = str(root / 'tubes.json')
    cfg.model.backbone.update(
        depth=18,
        base_channels=16,
        temporal_start='random',
        zero_init_residual=False,
    )
    cfg.model.roi_head.bbox_head.update(
        in_channels=128 * len(cfg.model.neck.features),
        num_classes=2 + background,
    )
    cfg.train_dataloader.batch_size = 4
    cfg.load_from = None
    return cfg


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    [
        'lgd2d_jhmdb_split2',
        'lgd3d_flow_jhmdb_split1',
        'lgd3d_ucf101_24',
        'ablations/lgd3d_jhmdb_split1_plain',
        'ablations/lgd3d_jhmdb_split1_global',
        'ablations/lgd3d_ucf101_24_background',
    ],
)
def test_trains_and_tests_a_step(name: str, root: Path) -> None:
    cfg = shrink(load(name), root)
    model = MODELS.build(cfg.model)
    model.init_weights()
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    batch = next(iter(loader))
    data = model.data_preprocessor(batch, training=True)
    losses = model(**data, mode='loss')
    loss, log = model.parse_losses(losses)
    loss.backward()
    used = {
        key.split('.')[0]
        for key, p in model.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }
    assert used == {'backbone', 'roi_head'}
    # softmax over the classes: ln(K) at first, give or take
    assert 0.05 < log['loss_action_cls'].item() < 10
    model.eval()
    loader = Runner.build_dataloader(cfg.test_dataloader, seed=0)
    for number, batch in enumerate(loader):
        if number not in (0, 3):  # frame 3 has no proposal
            continue
        sample = model.test_step(batch)[0]
        boxes = 0 if number == 3 else 2
        found = sample.pred_instances
        assert found.scores.shape == (boxes, 2)
        assert sample.proposal_scores.shape == (boxes,)
        assert sample.timestamp == number
        if boxes:
            total = found.scores.sum(1)
            if 'background' in name:
                assert (total < 1 + 1e-6).all()  # the rest is background
            else:
                assert torch.allclose(total, torch.ones(2))
            expected = [[8 / 80, 1 / 6, 0.4, 2 / 3], [0.8, 0.8, 1, 1]]
            assert np.allclose(found.bboxes, expected, atol=1e-6)


@pytest.mark.slow
def test_learns_the_hand_made_set(root: Path, tmp_path: Path) -> None:
    """Stock runner: train, validate, test, detections file; all found."""
    cfg = shrink(load('lgd3d_jhmdb_split1'), root)
    cfg.work_dir = str(tmp_path)
    cfg.randomness = dict(seed=0)
    cfg.train_dataloader.dataset.frames_per_video = 16
    cfg.train_cfg.update(max_epochs=5, val_interval=5)
    cfg.optim_wrapper.optimizer = dict(type='AdamW', lr=2e-3)
    cfg.param_scheduler = []
    cfg.test_evaluator.out_file = str(tmp_path / 'detections.npz')
    runner = Runner.from_cfg(cfg)
    runner.train()
    metrics = runner.test()
    # 1 of the 24 frames of a video has no proposal
    assert metrics['tube/frame_mAP@0.5'] == pytest.approx(23 / 24)
    assert metrics['tube/video_mAP@0.5'] == 1
    assert metrics['tube/missing_frames'] == 0
    table = BoxTable.load(tmp_path / 'detections.npz', 'detections')
    assert len(table) == 2 * 23 * 2 and len(table.frames_frame) == 48
    # class score times proposal score
    assert table.scores.sum(1) == pytest.approx([0.9, 0.4] * 46, abs=1e-5)


# ------------------------------------------------------------ what is missing

BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == {package!r} or name == {package!r}:
            raise ImportError('No module named ' + repr(name))

sys.meta_path.insert(0, Block())
import lgd_mmaction
assert lgd_mmaction.models.RoIFeatures and lgd_mmaction.datasets
print('imported')
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    'package, needed', [('mmdet', 'mmdet==3.3.0'), ('mmcv.ops', 'mmcv==2.1.0')]
)
def test_says_in_one_sentence_what_to_install(
    package: str, needed: str
) -> None:
    code = BLOCK.format(package=package) + (
        'from lgd_mmaction.launch.stock_tools import run_stock_tool\n'
        "sys.argv = ['train.py', 'configs/lgd3d_jhmdb_split1.py']\n"
        "run_stock_tool('train.py')\n"
    )
    run = subprocess.run(
        [sys.executable, '-c', code],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.stdout.startswith('imported'), run.stderr
    assert run.returncode == 2
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith('error: ')
    assert f'detection needs {needed} (' in last
    assert 'pip install mmcv==2.1.0 mmdet==3.3.0' in last
    assert 'Traceback' not in run.stderr


def test_missing_files_are_named(root: Path, tmp_path: Path) -> None:
    cfg = shrink(load('lgd3d_jhmdb_split1'), root)
    dataset = cfg.test_dataloader.dataset
    gone = str(tmp_path / 'none.npz')
    for key, remedy in (
        ('proposal_file', 'tools/data/detect_people.py'),
        ('ann_file', 'tools/data/jhmdb.py'),
    ):
        with pytest.raises(DataError, match=f'{gone} does not .*{remedy}'):
            DATASETS.build({**dataset, key: gone})


@pytest.mark.slow
def test_stock_loader_reads_the_data_set_with_workers(root: Path) -> None:
    cfg = shrink(load('lgd3d_jhmdb_split1'), root)
    data = DATASETS.build(cfg.test_dataloader.dataset)
    loader = Runner.build_dataloader(
        dict(
            batch_size=1,
            num_workers=2,
            dataset=data,
            sampler=dict(type='DefaultSampler', shuffle=False),
        )
    )
    seen = [
        (s.video_id, s.timestamp) for b in loader for s in b['data_samples']
    ]
    assert seen == [(v, t) for v in ('a/1', 'b/1') for t in range(24)]
