"""The steps of an experiment, with stand-ins for training and testing."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from lgd_tools.cli import ToolError

FAKE_TRAIN = """
import json, os, sys, time, zipfile
from pathlib import Path
argv = sys.argv[1:]
work = Path(argv[argv.index('--work-dir') + 1])
work.mkdir(parents=True, exist_ok=True)
with open('calls.jsonl', 'a') as file:
    file.write(json.dumps(['train', *argv]) + '\\n')
first = 1
if '--resume' in argv:
    first = int(Path(argv[argv.index('--resume') + 1]).stem[6:]) + 1
for epoch in range(first, 4):
    with zipfile.ZipFile(work / f'epoch_{epoch}.pth', 'w') as file:
        file.writestr(zipfile.ZipInfo('weights'), str(work))
    (work / 'last_checkpoint').write_text(str(work / f'epoch_{epoch}.pth'))
    if epoch == 2 and os.path.exists('stop'):
        sys.exit(3)
    if epoch == 2 and os.path.exists('hang'):
        Path('hanging').touch()
        time.sleep(60)
"""
FAKE_TEST = """
import json, os, pickle, random, runpy, sys
argv = sys.argv[1:]
with open('calls.jsonl', 'a') as file:
    file.write(json.dumps(['test', *argv]) + '\\n')
dataset = runpy.run_path(argv[0])['test_dataloader']['dataset']
entries = []
for line in open(dataset['ann_file']):
    name, *_, label = line.split()
    random.seed(argv[0] + name)
    share = random.random()
    entries.append(dict(
        pred_score=[share, 1 - share], gt_label=int(label),
        filename='x/' + name,
    ))
if os.path.exists('lose'):
    entries.pop()
with open(argv[argv.index('--dump') + 1], 'wb') as file:
    pickle.dump(entries, file)
"""


@pytest.fixture
def tool():
    """lgd_tools/experiment/command.py."""
    from lgd_tools.experiment import command

    return command


@pytest.fixture
def place(tool, tmp_path, monkeypatch) -> Path:
    """A working folder: two splits, RGB and flow, stand-in scripts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'fake_train.py').write_text(FAKE_TRAIN)
    (tmp_path / 'fake_test.py').write_text(FAKE_TEST)
    monkeypatch.setattr(tool.plan, 'TRAIN_SCRIPT', tmp_path / 'fake_train.py')
    monkeypatch.setattr(tool.plan, 'TEST_SCRIPT', tmp_path / 'fake_test.py')
    for split in (1, 2):
        for stream in ('rgb', 'flow'):
            _write_data(tmp_path, stream, split)
    return tmp_path


def _write_data(root: Path, stream: str, split: int) -> None:
    """Six videos a split: two to train on, four to test on."""
    lists = {'train': [], 'test': []}
    for i in range(6):
        role = 'train' if i < 2 else 'test'
        name, label = f's{split}_v{i}', i % 2
        if stream == 'rgb':
            path = root / 'data' / 'videos' / f'{name}.avi'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'video')
            lists[role].append(f'{name}.avi {label}')
        else:
            folder = root / 'data' / 'flow' / name
            folder.mkdir(parents=True)
            for xy in 'xy':
                for frame in range(1, 6):
                    (folder / f'flow_{xy}_{frame:05d}.jpg').write_bytes(b'j')
            lists[role].append(f'{name} 5 {label}')
    for role, lines in lists.items():
        path = root / 'data' / f'{stream}_{role}_{split}.txt'
        path.write_text('\n'.join(lines) + '\n')
    prefix = "video='data/videos'" if stream == 'rgb' else "img='data/flow'"
    kind = (
        "'VideoDataset'"
        if stream == 'rgb'
        else "'RawframeDataset', modality='Flow',"
        " filename_tmpl='flow_{}_{:05d}.jpg'"
    )
    loaders = ''.join(
        f"{role}_dataloader = dict(dataset=dict(type={kind}, ann_file='data/"
        f"{stream}_{file}_{split}.txt', data_prefix=dict({prefix}), pipeline"
        "=[dict(type='Resize'), dict(type='PackActionInputs')]))\n"
        for role, file in (
            ('train', 'train'),
            ('val', 'test'),
            ('test', 'test'),
        )
    )
    (root / f'{stream}{split}.py').write_text(
        f'{loaders}model = dict(cls_head=dict(num_classes=2))\n'
        'load_from = None\ntrain_cfg = dict(max_epochs=3)\n'
        'custom_hooks = [dict(switch_epoch=2)]\n'
    )


def _argv(*more: str) -> list[str]:
    return [
        *('--name', 'row', '--work-dir', 'work'),
        *('--rgb', 'rgb1.py', 'rgb2.py', '--flow', 'flow1.py', 'flow2.py'),
        *more,
    ]


def _calls() -> list[list[str]]:
    path = Path('calls.jsonl')
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_whole_row(tool, place):
    assert tool.main(_argv('--sweep')) == 0
    assert [call[:2] for call in _calls()] == [
        [what, f'{stream}{split}.py']
        for split in (1, 2)
        for stream in ('rgb', 'flow')
        for what in ('train', 'test')
    ]
    result = json.loads(Path('work/row/result.json').read_text())
    assert result['summary']['videos'] == [4, 4]
    assert set(result['summary']['results']) == {'rgb', 'flow', 'fused'}
    run = result['runs'][1]
    assert (run['stream'], run['split']) == ('flow', 1)
    assert run['data']['train']['videos'] == 2
    assert run['data']['test']['videos'] == 4
    assert run['second_stage_from_epoch'] == 2
    assert list(run['checkpoint']) == [
        'work/row/flow/split1/train/epoch_3.pth'
    ]
    assert len(run['config_sha256']) == 64
    assert result['versions']['torch']
    # the sweep stays out of the result
    assert 'sweep' not in json.dumps(result)
    assert 'sweep' in json.loads(
        Path('work/row/fused_split1.json').read_text()
    )
    assert Path('work/row/gains_split2.png').stat().st_size > 1000
    lines = Path('work/row/result.md').read_text().splitlines()
    assert len(lines) == 3
    cells = [cell.strip() for cell in lines[2].strip('|').split('|')]
    titles = [cell.strip() for cell in lines[0].strip('|').split('|')]
    row = dict(zip(titles, cells, strict=True))
    assert row['experiment'] == 'row'
    assert row['test videos'] == '4 + 4'
    assert row['train videos'] == '2 + 2'
    assert row['configs'] == result['configs_sha256'][:12]
    assert '±' in row['fused top-1']


@pytest.mark.slow
def test_second_run_does_nothing(tool, place):
    tool.main(_argv())
    before = Path('work/row/result.md').read_text()
    tool.main(_argv())
    assert len(_calls()) == 8
    assert Path('work/row/result.md').read_text() == before


@pytest.mark.slow
def test_goes_on_where_a_training_failed(tool, place):
    Path('stop').touch()
    with pytest.raises(ToolError, match='train rgb split 1 .*code 3'):
        tool.main(_argv())
    Path('stop').unlink()
    # a file that was being written is not gone on from
    train = Path('work/row/rgb/split1/train')
    (train / 'epoch_3.pth').write_bytes(b'PK cut short')
    (train / 'last_checkpoint').write_text('')
    tool.main(_argv('--cfg-options', 'load_from=None'))
    call = _calls()[1]
    assert call[call.index('--resume') + 1] == str(train / 'epoch_2.pth')
    # resuming from a path, load_from would replace it
    assert 'load_from=None' not in call
    assert sum(call[0] == 'train' for call in _calls()) == 5
    marker = json.loads(
        Path('work/row/steps/train_rgb_split1.json').read_text()
    )
    assert (marker['state'], marker['runs']) == ('done', 2)


@pytest.mark.slow
def test_test_step_is_done_again_when_the_checkpoint_changes(tool, place):
    tool.main(_argv())
    path = Path('work/row/flow/split2/train/epoch_3.pth')
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr(zipfile.ZipInfo('weights'), 'other weights')
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    assert after != before
    tool.main(_argv())
    # the training is asked to go on from there, and finds nothing to do
    train, test = _calls()[8:]
    assert (train[0], test[0]) == ('train', 'test')
    assert train[train.index('--resume') + 1] == str(path)
    assert test[1:3] == ['flow2.py', str(path)]
    marker = Path('work/row/steps/test_flow_split2.json')
    assert json.loads(marker.read_text())['inputs']['checkpoint'] == after
    result = json.loads(Path('work/row/result.json').read_text())
    assert result['runs'][3]['checkpoint'] == {str(path): after}
    tool.main(_argv())
    assert len(_calls()) == 10


@pytest.mark.slow
def test_steps_are_done_again_when_their_files_change(tool, place):
    tool.main(_argv())
    scores = Path('work/row/flow/split2/scores.pkl')
    scores.write_bytes(scores.read_bytes() + b'x')
    tool.main(_argv())
    assert [call[0] for call in _calls()[8:]] == ['test']
    assert _calls()[8][1] == 'flow2.py'
    Path('work/row/flow/split2/train/epoch_3.pth').unlink()
    tool.main(_argv())
    assert [call[0] for call in _calls()[9:]] == ['train']


@pytest.mark.slow
def test_refuses_to_mix_trainings(tool, place, capsys):
    tool.main(_argv())
    changed = _argv('--stream-options', 'rgb', 'train_cfg.max_epochs=9')
    with pytest.raises(ToolError, match=r'changed: config\); take anoth'):
        tool.main(changed)
    with pytest.raises(ToolError, match='changed: seed'):
        tool.main(_argv('--seed', '1'))
    assert len(_calls()) == 8
    tool.main([*changed, '--restart'])
    # only RGB was changed; nothing is lost
    assert [call[1] for call in _calls()[8:]] == [
        *('rgb1.py', 'rgb1.py', 'rgb2.py', 'rgb2.py')
    ]
    assert Path('work/row/rgb/split1/train.old-1/epoch_3.pth').is_file()
    assert '--resume' not in _calls()[8]


@pytest.mark.slow
def test_only_the_test_is_repeated_for_other_test_settings(tool, place):
    tool.main(_argv())
    views = 'model.test_cfg.max_testing_views=4'
    tool.main(_argv('--cfg-options', views))
    assert [call[0] for call in _calls()[8:]] == ['test'] * 4
    # nor does another list, where it is not trained on
    for stream in ('rgb', 'flow'):
        path = place / f'data/{stream}_test_2.txt'
        path.write_text(''.join(path.read_text().splitlines(True)[:3]))
    tool.main(_argv('--cfg-options', views))
    assert [call[:2] for call in _calls()[12:]] == [
        ['test', 'rgb2.py'],
        ['test', 'flow2.py'],
    ]
    result = json.loads(Path('work/row/result.json').read_text())
    assert result['summary']['videos'] == [4, 3]
    rate = _argv('--cfg-options', views, 'optim_wrapper.optimizer.lr=0.5')
    with pytest.raises(ToolError, match=r'changed: config\)'):
        tool.main(rate)
    path = place / 'data/rgb_train_1.txt'
    path.write_text(path.read_text().splitlines(True)[0])
    with pytest.raises(ToolError, match=r'changed: lists\)'):
        tool.main(_argv('--cfg-options', views))
    assert len(_calls()) == 14


@pytest.mark.parametrize(
    ('option', 'same'),
    [
        ('test_dataloader.batch_size=3', True),
        ('val_dataloader.dataset.ann_file=a.txt', True),
        ('test_pipeline.0.clip_len=8', True),
        ('train_cfg.val_interval=7', True),
        ('model.test_cfg.max_testing_views=1', True),
        ('model.cls_head.average_clips=score', True),
        ('train_dataloader.num_workers=2', True),
        ('train_dataloader.persistent_workers=True', True),
        ('train_dataloader.pin_memory=True', True),
        ('default_hooks.logger.interval=1', True),
        ('log_level=DEBUG', True),
        ('env_cfg.cudnn_benchmark=True', True),
        ('visualizer.type=V', True),
        ('train_dataloader.batch_size=3', False),
        ('train_dataloader.dataset.ann_file=a.txt', False),
        ('train_cfg.max_epochs=4', False),
        ('model.cls_head.num_classes=3', False),
        ('model.train_cfg.a=1', False),
        ('default_hooks.epoch_seed.type=Other', False),
        ('optim_wrapper.optimizer.lr=0.5', False),
        ('custom_hooks.0.switch_epoch=1', False),
        ('auto_scale_lr.enable=True', False),
    ],
)
def test_what_a_training_depends_on(tool, place, option, same):
    config = Path('rgb1.py')
    config.write_text(
        config.read_text() + 'test_pipeline = [dict(clip_len=16)]\n'
    )
    one, other = (
        tool.plan.make_run(place, 'rgb', None, 'rgb1.py', options)
        for options in ([], [option])
    )
    assert (one.train_sha256 == other.train_sha256) is same
    assert one.config_sha256 != other.config_sha256


def test_a_training_may_listen_to_its_validation(tool, place):
    stop = "custom_hooks = [dict(type='EarlyStoppingHook')]\n"
    Path('rgb1.py').write_text(Path('rgb1.py').read_text() + stop)
    one, other = (
        tool.plan.make_run(place, 'rgb', None, 'rgb1.py', options)
        for options in ([], ['val_dataloader.batch_size=3'])
    )
    assert one.train_sha256 != other.train_sha256
    assert set(tool.plan.train_inputs(one, 0, False)['lists']) == {
        *('train', 'val')
    }


@pytest.mark.slow
def test_scores_that_lack_a_video_get_no_name(tool, place):
    Path('lose').touch()
    with pytest.raises(ToolError, match='1 are not in .*s1_v5'):
        tool.main(_argv())
    assert not Path('work/row/rgb/split1/scores.pkl').exists()
    Path('lose').unlink()
    tool.main(_argv())
    assert sum(call[0] == 'train' for call in _calls()) == 4


def test_commands(tool, place, capsys):
    argv = _argv(
        *('--gpus', '4', '--amp', '--seed', '7', '--weights', '2', '1'),
        *('--cfg-options', 'a.b=1'),
        *('--stream-options', 'flow', 'load_from=f.pth'),
        '--dry-run',
    )
    assert tool.main(argv) == 0
    assert not Path('work').exists()
    lines = capsys.readouterr().out.splitlines()
    assert '# train flow split 1: to do' in lines
    train = next(x for x in lines if 'fake_train' in x and 'flow1' in x)
    assert train == (
        f'{sys.executable} -m torch.distributed.run --standalone '
        '--nproc_per_node=4 fake_train.py flow1.py --work-dir '
        'work/row/flow/split1/train --seed 7 --amp --launcher pytorch '
        '--cfg-options a.b=1 load_from=f.pth'
    )
    test = next(x for x in lines if 'fake_test' in x and 'flow1' in x)
    assert test.endswith(
        "--cfg-options a.b=1 'test_dataloader.dataset.pipeline.1.meta_keys="
        "[img_shape,filename,frame_dir]'"
    )
    assert any('fuse_streams' in x and '--weights 2.0 1.0' in x for x in lines)
    # one split, one stream: no split in the paths
    tool.main(['--name', 'one', '--rgb', 'rgb1.py', '--dry-run'])
    assert 'work_dirs/experiments/one/rgb/train' in capsys.readouterr().out


def test_one_stream(tool, place, capsys):
    tool.main(['--name', 'one', '--work-dir', 'w', '--rgb', 'rgb1.py'])
    row = Path('w/one/result.md').read_text().splitlines()[2]
    assert '±' not in row
    assert '| 4 | 2 | 1 |' in row
    assert not list(Path('w/one').glob('gains*'))


def _break(root: Path, what: str) -> None:
    rgb_list = root / 'data' / 'rgb_test_1.txt'
    lines = rgb_list.read_text().splitlines()
    if what == 'no list':
        rgb_list.unlink()
    elif what == 'missing video':
        (root / 'data/videos/s1_v4.avi').unlink()
    elif what == 'empty video':
        (root / 'data/videos/s1_v4.avi').write_bytes(b'')
    elif what == 'missing flow':
        (root / 'data/flow/s1_v3/flow_y_00003.jpg').unlink()
    elif what == 'empty flow':
        (root / 'data/flow/s1_v3/flow_x_00005.jpg').write_bytes(b'')
    elif what == 'other label':
        lines[1] = lines[1].replace(' 1', ' 0')
    elif what == 'wrong label':
        lines[1] = lines[1].replace(' 1', ' 2')
    elif what == 'fewer videos':
        lines.pop()
    elif what == 'overlap':
        lines.append('s1_v0.avi 0')
    elif what == 'twice':
        lines *= 2
    if what != 'no list':
        rgb_list.write_text('\n'.join(lines) + '\n')


@pytest.mark.parametrize(
    ('what', 'message'),
    [
        ('no list', r'annotation list data/rgb_test_1.txt does not exist'),
        ('missing video', r'1 of 4 videos are missing.*videos/s1_v4.avi'),
        ('empty video', r'missing or empty: data/videos/s1_v4.avi'),
        ('missing flow', r'flow_test_1.*s1_v3/flow_y_00003.jpg'),
        ('empty flow', r'flow_test_1.*s1_v3/flow_x_00005.jpg'),
        ('other label', r'disagree on s1_v3: label 0 and 1'),
        ('wrong label', r's1_v3.avi has label 2, but the network 2 classes'),
        ('fewer videos', r'not in data/rgb_test_1.txt: s1_v5.*--common'),
        ('fewer videos', r'--exclude bad.txt'),
        ('overlap', r'1 videos of data/rgb_test_1.txt are also in'),
        ('twice', r's1_v2.avi is there more than once'),
    ],
)
def test_check_finds_bad_data(tool, place, what, message):
    _break(place, what)
    with pytest.raises(ToolError, match=message):
        tool.main(_argv('--check-only'))
    assert _calls() == []


def test_check_only(tool, place, capsys):
    assert tool.main(_argv('--check-only')) == 0
    assert '4 videos, data/flow_test_2.txt' in capsys.readouterr().out
    assert _calls() == []
    # asked for, it looks again even where nothing seems changed
    (place / 'data/videos/s1_v4.avi').unlink()
    with pytest.raises(ToolError, match='s1_v4'):
        tool.main(_argv('--check-only'))


def test_a_list_is_checked_with_each_folder(tool, place):
    """The val list is the test list, but its videos are elsewhere."""
    option = 'val_dataloader.dataset.data_prefix.video=data/small'
    argv = ['--name', 'one', '--rgb', 'rgb1.py', '--cfg-options', option]
    with pytest.raises(ToolError, match='4 of 4.*data/small/s1_v2.avi'):
        tool.main([*argv, '--check-only'])
    (place / 'data/small').mkdir()
    for path in (place / 'data/videos').iterdir():
        (place / 'data/small' / path.name).write_bytes(b'small')
    assert tool.main(argv) == 0
    result = Path('work_dirs/experiments/one/result.json')
    data = json.loads(result.read_text())['runs'][0]['data']
    assert {role: facts['folder'] for role, facts in data.items()} == {
        'train': 'data/videos',
        'val': 'data/small',
        'test': 'data/videos',
    }


@pytest.mark.parametrize(
    ('train', 'test', 'found'),
    [
        ('run/01.avi walk/02.avi', 'walk/01.avi run/03.avi', None),
        ('run/01.avi walk/02.avi', 'walk/01.avi run/01.avi', 'run/01.avi'),
        ('run/01.avi walk/02.avi', 'run/01.mp4', 'run/01.mp4'),
        ('run/01.avi walk/02.avi', r'run\01.avi', r'run\01.avi'),
        # the same video with and without its folder
        ('run/a.avi', 'b.avi a.avi', 'a.avi'),
        ('b.avi a.avi', 'walk/a.avi', 'walk/a.avi'),
        ('run/a.avi', 'run/b.avi', None),
        # part of a folder's name is no folder
        ('fast_run/01.avi', 'run/01.avi', None),
        ('v1.2.avi', 'v1.avi v1.3.avi', None),
    ],
)
def test_overlap(tool, tmp_path, train, test, found):
    from lgd_tools.experiment.data_check import check_overlap

    paths = []
    for role, names in (('train', train), ('test', test)):
        paths.append(tmp_path / f'{role}.txt')
        paths[-1].write_text(''.join(f'{n} 0\n' for n in names.split()))
    if found is None:
        check_overlap(*paths)
        return
    with pytest.raises(ToolError, match='1 videos of .*for exam') as e:
        check_overlap(*paths)
    assert f'for example {found};' in str(e.value)


def test_flow_of_another_size_is_noted(tool, place, capsys):
    for path in (place / 'data/flow').rglob('*.jpg'):
        Image.new('L', (16, 12)).save(path)
    argv = ['--name', 'one', '--flow', 'flow1.py', '--cfg-options']
    size = '{}_dataloader.dataset.pipeline.0.scale=(-1,{})'.format
    argv += [size('train', 12), size('val', 12)]
    assert tool.main([*argv, size('test', 12)]) == 0
    assert 'warning' not in capsys.readouterr().out
    note = (
        'the flow in data/flow has a short side of 12 pixels, but the '
        'pipeline resizes it to 6; '
    )
    for _ in range(2):  # also where the data were checked before
        assert tool.main([*argv, size('test', 6)]) == 0
        out = capsys.readouterr().out
        assert out.count(f'warning: {note}') == 1
        assert 'its values are 2 times what they are at 6; extract' in out
        assert 'tools/data/extract_flow.py --short-side 6\n' in out
    result = Path('work_dirs/experiments/one/result.json')
    data = json.loads(result.read_text())['runs'][0]['data']
    assert data['test']['note'].startswith(note)
    assert data['train']['note'] is data['val']['note'] is None
    (place / 'data/flow/s1_v2/flow_x_00001.jpg').write_bytes(b'no picture')
    with pytest.raises(ToolError, match='s1_v2/flow_x_00001.jpg is not'):
        tool.main([*argv, size('test', 6), '--check-only'])


@pytest.mark.parametrize(
    ('pipeline', 'side'),
    [
        ([dict(type='Resize', scale=(-1, 120))], 120),
        ([dict(type='Resize', scale=[340, 256])], 256),
        ([dict(type='mmaction.Resize', scale=(float('inf'), 240))], 240),
        ([dict(type='Resize', scale=0.5)], None),
        ([dict(type='RawFrameDecode')], None),
        # what a crop leaves has another size than the flow
        (
            [
                dict(type='RandomResizedCrop'),
                dict(type='Resize', scale=(224, 224)),
            ],
            None,
        ),
        (
            [
                dict(type='Resize', scale=(-1, 240)),
                dict(type='RandomResizedCrop'),
                dict(type='Resize', scale=(224, 224)),
            ],
            240,
        ),
    ],
)
def test_short_side_of_a_pipeline(tool, pipeline, side):
    from lgd_tools.experiment.flow_size import resized_short_side

    assert resized_short_side({'pipeline': pipeline}) == side


def test_bad_arguments(tool, place):
    for argv, message in [
        (['--name', 'a/b', '--rgb', 'rgb1.py'], 'becomes a folder'),
        (['--name', 'a'], 'configs for each stream: none'),
        (_argv('--stream', 'rgb', 'rgb1.py'), '--stream rgb'),
        (_argv('--stream', 'sound', 'rgb1.py'), "'sound': 1"),
        (_argv('--stream-options', 'sound', 'a=1'), 'the streams are rgb'),
        (_argv('--weights', '1'), '1 weights for 2 streams'),
        (['--name', 'a', '--rgb', 'no.py'], 'there is no config no.py'),
        (_argv('--cfg-options', 'load_from=x.pth'), 'x.pth, which is not'),
    ]:
        with pytest.raises(ToolError, match=message):
            tool.main(argv)
    Path('bad.py').write_text('a = [')
    with pytest.raises(ToolError, match='cannot read bad.py'):
        tool.main(['--name', 'a', '--rgb', 'bad.py'])


@pytest.mark.slow
def test_killed_runner_takes_its_child_along(tool, place):
    """SIGTERM ends the training too; a second runner is kept out."""
    Path('hang').touch()
    code = (
        'from lgd_tools.experiment import command as m\n'
        'from pathlib import Path\n'
        'm.plan.TRAIN_SCRIPT = Path("fake_train.py").resolve()\n'
        f'm.main({_argv()!r})\n'
    )
    with subprocess.Popen([sys.executable, '-c', code]) as process:
        for _ in range(600):
            if Path('hanging').exists() or process.poll() is not None:
                break
            time.sleep(0.1)
        assert Path('hanging').exists()
        with pytest.raises(ToolError, match='is in use by another'):
            tool.main(_argv())
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    Path('hang').unlink()
    # the lock is free again, so the child has ended
    tool.main(_argv())
    assert '--resume' in _calls()[1]
