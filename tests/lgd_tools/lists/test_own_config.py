"""The config that folder.py writes: fitted, short, and ready to train."""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from lgd_mmaction.launch.config_errors import read_config
from lgd_mmaction.launch.preflight import check_config
from lgd_tools.cli import ToolError, read_list
from lgd_tools.lists import folder, own_config
from lgd_tools.lists.grouping import fold_groups
from lgd_tools.video import write_video


@pytest.fixture(scope='module')
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 20 clips of 48 frames, from four cameras."""
    root = tmp_path_factory.mktemp('videos')
    clip = write_video(root / 'one.mp4', np.zeros((48, 64, 96, 3), np.uint8))
    data = clip.read_bytes()
    clip.unlink()
    for name in ('sit', 'stand up', 'walk'):
        for i in range(20):
            path = root / name / f'cam{i % 4}' / f'{i:02d}.mp4'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return root


def convert(videos: Path, out: Path, *more: object) -> Config:
    argv = ['--videos', videos, '--out', out, '--workers', 1, *more]
    assert folder.main([str(a) for a in argv]) == 0
    return read_config(str(out / f'{out.name}.py'))


def checked(cfg: Config) -> None:
    """What train.py does before and while it builds."""
    init_default_scope('mmaction')
    check_config(cfg)
    for part in ('train', 'test'):
        dataset = DATASETS.build(cfg[f'{part}_dataloader'].dataset)
        assert dataset[0]['inputs'].dtype == torch.uint8
    MODELS.build(cfg.model)


@pytest.mark.slow
@pytest.mark.parametrize('recipe', ['small', 'lgd3d', 'lgd2d'])
def test_the_config_fits_the_data(videos, tmp_path, capsys, recipe):
    cfg = convert(videos, tmp_path / 'mine', '--recipe', recipe)
    path = tmp_path / 'mine' / 'mine.py'
    assert len(path.read_text().splitlines()) <= 15
    cfg.model.backbone.pretrained = None  # no download
    checked(cfg)
    out, err = capsys.readouterr()
    assert err == ''
    for command in ('tools/train.py', 'tools/test.py', 'tools/predict.py'):
        assert f'python {command} {path}' in out
    assert cfg.model.cls_head.num_classes == 3
    train, test = cfg.train_dataloader, cfg.test_dataloader
    steps = {s['type']: s for s in train.dataset.pipeline}
    assert steps['Flip']['flip_ratio'] == 0
    if recipe == 'lgd2d':
        assert steps['UniformSample']['clip_len'] == 3
    else:
        # 48 frames: every second one of 32
        for pipeline in (train.dataset.pipeline, cfg.test_pipeline):
            assert pipeline[1]['clip_len'] == 16
            assert pipeline[1]['frame_interval'] == 2
    assert test.dataset.pipeline == cfg.test_pipeline
    assert cfg.test_pipeline[1]['num_clips'] >= 5
    # 48 clips in equal batches
    assert train.batch_size == {'small': 16, 'lgd3d': 8, 'lgd2d': 16}[recipe]
    assert cfg.train_cfg.max_epochs == 100
    assert cfg.param_scheduler[1].T_max == cfg.param_scheduler[1].end == 100
    two_stage, early = cfg.custom_hooks
    assert two_stage.switch_epoch == 50
    # of 20 validations: some of them in stage 2
    assert early.type == 'EarlyStoppingHook'
    assert early.patience * cfg.train_cfg.val_interval > 50


def test_clips_may_be_mirrored(videos, tmp_path):
    cfg = convert(videos, tmp_path / 'a', '--no-keep-direction')
    steps = {s['type']: s for s in cfg.train_dataloader.dataset.pipeline}
    assert steps['Flip']['flip_ratio'] == 0.5


@pytest.mark.slow
def test_groups_are_folders_and_folds_part_none(videos, tmp_path, capsys):
    out = tmp_path / 'mine'
    more = ('--group', 'folder', '--folds', 4, '--val-fraction', 0.25)
    cfg = convert(videos, out, '--recipe', 'small', *more)
    assert f'--rgb {out}/mine_fold_{{1..4}}.py' in capsys.readouterr().out

    def cameras(cfg: Config, part: str) -> set[str]:
        data = cfg[f'{part}_dataloader'].dataset
        names = [n for n, _ in read_list(Path(data.data_root, data.ann_file))]
        return {name.split('/')[1] for name in names}

    assert len(cameras(cfg, 'train')) == 3
    tested = []
    for k in range(1, 5):
        fold = read_config(str(out / f'mine_fold_{k}.py'))
        checked(fold)
        assert not cameras(fold, 'train') & cameras(fold, 'test')
        assert cameras(fold, 'val') == cameras(fold, 'test')
        assert [h.type for h in fold.custom_hooks] == ['TwoStageHook']
        tested += cameras(fold, 'test')
    assert sorted(tested) == ['cam0', 'cam1', 'cam2', 'cam3']


def test_folds_spread_the_classes():
    labels = [i % 3 for i in range(90)]
    keys = [f'g{i // 3:02d}' for i in range(90)]
    folds = fold_groups(labels, keys, 5, 0)
    assert folds == fold_groups(labels, keys, 5, 0)
    assert folds != fold_groups(labels, keys, 5, 1)
    for fold in range(5):
        own = [i for i in range(90) if folds[i] == fold]
        assert Counter(labels[i] for i in own) == {0: 6, 1: 6, 2: 6}
        others = {keys[i] for i in range(90) if folds[i] != fold}
        assert not {keys[i] for i in own} & others
    with pytest.raises(ToolError, match='there are 2 groups'):
        fold_groups([0, 1], ['a', 'b'], 3, 0)


def test_one_group_leaves_nothing_to_validate_on(videos, tmp_path):
    with pytest.raises(ToolError, match='all 60 clips are of one group'):
        convert(videos, tmp_path / 'mine', '--group', '^()')


@pytest.mark.parametrize(
    ('clips', 'recipe', 'expected'),
    [
        (81, 'small', (14, 67)),  # 6 nearly equal batches
        (1, 'small', (1, 100)),
        (16, 'small', (16, 100)),
        (160, 'small', (16, 40)),
        (500_000, 'lgd3d', (8, 15)),
        (2000, 'lgd2d', (16, 16)),
    ],
)
def test_schedule(clips, recipe, expected):
    assert own_config.schedule(clips, recipe) == expected


@pytest.mark.parametrize(
    ('frames', 'clip_len', 'interval'),
    [
        (5, 8, 1),
        (16, 16, 1),
        (32, 16, 1),
        (48, 16, 2),
        (70, 16, 3),
        (900,) * 3,
    ],
)
def test_sampling(frames, clip_len, interval):
    if frames == 900:
        clip_len, interval = 16, 4
    sample = own_config.sampling(frames)
    assert sample == dict(clip_len=clip_len, frame_interval=interval)
    # some room for another start in training
    assert (clip_len - 1) * interval < max(frames, 8)


@pytest.mark.slow
@pytest.mark.parametrize('recipe', ['small', 'lgd3d', 'lgd2d'])
def test_a_checkpoint_says_its_recipe(videos, tmp_path, recipe):
    depth = 18 if recipe == 'small' else 50
    base = own_config.configs_folder() / '_base_' / f'own_{recipe}.py'
    backbone = Config.fromfile(base).model.backbone
    init_default_scope('mmaction')
    backbone.pretrained = None
    with torch.device('meta'):
        names = MODELS.build(backbone).state_dict()
    state = {
        f'backbone.{k}': torch.zeros(v.shape[:1]) for k, v in names.items()
    }
    torch.save(dict(state_dict=state), tmp_path / 'a.pth')
    assert own_config.recipe_of(tmp_path / 'a.pth') == (recipe, depth)
    cfg = convert(
        videos, tmp_path / 'mine', '--checkpoint', tmp_path / 'a.pth'
    )
    assert cfg.load_from == str(tmp_path / 'a.pth')
    assert cfg.model.backbone.depth == depth
    assert cfg.model.backbone.pretrained is None


def test_a_foreign_checkpoint_is_refused(tmp_path):
    torch.save({'fc.weight': torch.zeros(2, 2)}, tmp_path / 'a.pth')
    with pytest.raises(ToolError, match='is not of LGD-2D, LGD-3D'):
        own_config.recipe_of(tmp_path / 'a.pth')


@pytest.mark.slow
@pytest.mark.parametrize('name', ['own_small', 'quickstart_lgd3d'])
def test_one_clip_and_epochs_of_one_step_train(videos, tmp_path, name):
    """Warm-up is counted in steps, and no smaller batch is dropped."""
    cfg = convert(videos, tmp_path / 'mine', '--recipe', 'small')
    folder = own_config.configs_folder() / ('_base_' * name.startswith('own'))
    other = Config.fromfile(folder / f'{name}.py')
    cfg.param_scheduler = other.param_scheduler
    assert not other.train_dataloader.get('drop_last')
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset.indices = 1
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.custom_hooks = [dict(type='TwoStageHook', switch_epoch=1)]
    cfg.default_hooks.checkpoint.save_best = None
    cfg.train_cfg.max_epochs = 2
    cfg.work_dir = str(tmp_path / 'wd')
    cfg.experiment_name = f'one_step_{name}'
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 2 and runner.model.cls_head.active_stage == 2
    # the second of 20 steps of warm-up is over
    rate = runner.optim_wrapper.get_lr()['lr'][0]
    assert 0 < rate < 0.2 * cfg.optim_wrapper.optimizer.lr


def test_commands_of_a_folder_with_blanks(capsys):
    args = argparse.Namespace(keep_direction=True, folds=3)
    folder.print_commands(Path('my data', 'mine.py'), args)
    out = capsys.readouterr().out
    assert "python tools/train.py 'my data/mine.py'\n" in out
    assert "--rgb 'my data/mine'_fold_{1..3}.py\n" in out
