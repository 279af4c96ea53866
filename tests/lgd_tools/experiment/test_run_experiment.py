"""The steps of an experiment, with stand-ins for training and testing."""

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lgd_tools.cli import ToolError
from tests.lgd_tools.experiment.conftest import (
    argv_of,
    calls,
    write_checkpoint,
)
from tests.warm import PYTHON


def test_whole_row(tool, place):
    assert tool.main(argv_of()) == 0
    assert [call[:2] for call in calls()] == [
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
    assert 'per_class' in Path('work/row/fused_split1.json').read_text()
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
    tool.main(argv_of())
    before = Path('work/row/result.md').read_text()
    tool.main(argv_of())
    assert len(calls()) == 8
    assert Path('work/row/result.md').read_text() == before


@pytest.mark.slow
def test_goes_on_where_a_training_failed(tool, place):
    Path('stop').touch()
    with pytest.raises(ToolError, match='train rgb split1 .*code 3'):
        tool.main(argv_of())
    Path('stop').unlink()
    # a file that was being written is not gone on from
    train = Path('work/row/rgb/split1/train')
    (train / 'epoch_3.pth').write_bytes(b'PK cut short')
    (train / 'last_checkpoint').write_text('')
    tool.main(argv_of('--cfg-options', 'load_from=None'))
    call = calls()[1]
    assert call[call.index('--resume') + 1] == str(train / 'epoch_2.pth')
    # resuming from a path, load_from would replace it
    assert 'load_from=None' not in call
    assert sum(call[0] == 'train' for call in calls()) == 5
    marker = json.loads(
        Path('work/row/steps/train_rgb_split1.json').read_text()
    )
    assert marker['state'] == 'done'
    assert marker['outputs'].keys() == {str(train / 'epoch_3.pth')}


@pytest.mark.slow
def test_test_step_is_done_again_when_the_checkpoint_changes(tool, place):
    tool.main(argv_of())
    path = Path('work/row/flow/split2/train/epoch_3.pth')
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    write_checkpoint(path, 1)
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    assert after != before
    tool.main(argv_of())
    # the training is asked to go on from there, and finds nothing to do
    train, test = calls()[8:]
    assert (train[0], test[0]) == ('train', 'test')
    assert train[train.index('--resume') + 1] == str(path)
    assert test[1:3] == ['flow2.py', str(path)]
    marker = Path('work/row/steps/test_flow_split2.json')
    assert json.loads(marker.read_text())['inputs']['checkpoint'] == after
    result = json.loads(Path('work/row/result.json').read_text())
    assert result['runs'][3]['checkpoint'] == {str(path): after}
    tool.main(argv_of())
    assert len(calls()) == 10


@pytest.mark.slow
def test_steps_are_done_again_when_their_files_change(tool, place):
    tool.main(argv_of())
    scores = Path('work/row/flow/split2/scores.pkl')
    scores.write_bytes(scores.read_bytes() + b'x')
    tool.main(argv_of())
    assert [call[0] for call in calls()[8:]] == ['test']
    assert calls()[8][1] == 'flow2.py'
    Path('work/row/flow/split2/train/epoch_3.pth').unlink()
    tool.main(argv_of())
    assert [call[0] for call in calls()[9:]] == ['train']


@pytest.mark.slow
def test_refuses_to_mix_trainings(tool, place, capsys):
    tool.main(argv_of())
    changed = argv_of('--stream-options', 'rgb', 'train_cfg.max_epochs=9')
    with pytest.raises(ToolError, match=r'changed: config\); take anoth'):
        tool.main(changed)
    with pytest.raises(ToolError, match='changed: seed'):
        tool.main(argv_of('--seed', '1'))
    assert len(calls()) == 8
    tool.main([*changed, '--restart'])
    # only RGB was changed; nothing is lost
    assert [call[1] for call in calls()[8:]] == [
        *('rgb1.py', 'rgb1.py', 'rgb2.py', 'rgb2.py')
    ]
    assert Path('work/row/rgb/split1/train.old-1/epoch_3.pth').is_file()
    assert '--resume' not in calls()[8]


@pytest.mark.slow
def test_only_the_test_is_repeated_for_other_test_settings(tool, place):
    tool.main(argv_of())
    views = 'model.test_cfg.max_testing_views=4'
    tool.main(argv_of('--cfg-options', views))
    assert [call[0] for call in calls()[8:]] == ['test'] * 4
    # nor does another list, where it is not trained on
    for stream in ('rgb', 'flow'):
        path = place / f'data/{stream}_test_2.txt'
        path.write_text(''.join(path.read_text().splitlines(True)[:3]))
    tool.main(argv_of('--cfg-options', views))
    assert [call[:2] for call in calls()[12:]] == [
        ['test', 'rgb2.py'],
        ['test', 'flow2.py'],
    ]
    result = json.loads(Path('work/row/result.json').read_text())
    assert result['summary']['videos'] == [4, 3]
    rate = argv_of('--cfg-options', views, 'optim_wrapper.optimizer.lr=0.5')
    with pytest.raises(ToolError, match=r'changed: config\)'):
        tool.main(rate)
    path = place / 'data/rgb_train_1.txt'
    path.write_text(path.read_text().splitlines(True)[0])
    with pytest.raises(ToolError, match=r'changed: list\)'):
        tool.main(argv_of('--cfg-options', views))
    assert len(calls()) == 14


@pytest.mark.slow
def test_scores_that_lack_a_video_get_no_name(tool, place):
    Path('lose').touch()
    with pytest.raises(ToolError, match='1 are not in .*s1_v5'):
        tool.main(argv_of())
    assert not Path('work/row/rgb/split1/scores.pkl').exists()
    Path('lose').unlink()
    tool.main(argv_of())
    assert sum(call[0] == 'train' for call in calls()) == 4


def test_commands(tool, place):
    more = ['--gpus', '4', '--amp', '--seed', '7']
    more += ['--cfg-options', 'a.b=1']
    more += ['--stream-options', 'flow', 'load_from=f.pth']
    args = tool.parse_args(argv_of(*more))
    flow = tool.make_runs(args)[1]
    assert shlex.join(tool.plan.train_command(flow, args)) == (
        f'{sys.executable} -m torch.distributed.run --standalone '
        '--nproc_per_node=4 fake_train.py flow1.py --work-dir '
        'work/row/flow/split1/train --seed 7 --amp --launcher pytorch '
        '--cfg-options a.b=1 load_from=f.pth'
    )
    test = tool.plan.test_command(flow, 4, 'c.pth', flow.scores)
    assert test[-4:] == ['--launcher', 'pytorch', '--cfg-options', 'a.b=1']
    # one split, one stream: no split in the paths
    (run,) = tool.make_runs(
        tool.parse_args(['--name', 'one', '--rgb', 'rgb1.py'])
    )
    assert str(run.train_dir) == 'work_dirs/experiments/one/rgb/train'


def test_one_stream(tool, place, capsys):
    tool.main(['--name', 'one', '--work-dir', 'w', '--rgb', 'rgb1.py'])
    row = Path('w/one/result.md').read_text().splitlines()[2]
    assert '±' not in row
    assert '| 4 | 2 | 1 |' in row
    assert json.loads(Path('w/one/fused.json').read_text())['fused'] is None


def test_bad_arguments(tool, place):
    for argv, message in [
        (['--name', 'a/b', '--rgb', 'rgb1.py'], 'becomes a folder'),
        (['--name', 'a'], 'configs for each stream: none'),
        (argv_of('--stream', 'rgb', 'rgb1.py'), '--stream rgb'),
        (argv_of('--stream', 'sound', 'rgb1.py'), "'sound': 1"),
        (argv_of('--stream-options', 'sound', 'a=1'), 'the streams are rgb'),
        (argv_of('--weights', '1'), '1 weights for 2 streams'),
        (
            ['--name', 'a', '--rgb', 'no.py'],
            'cannot read no.py .*FileNotFoundError',
        ),
        (argv_of('--cfg-options', 'load_from=x.pth'), 'x.pth, which is not'),
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
        f'm.main({argv_of()!r})\n'
    )
    with subprocess.Popen([PYTHON, '-c', code]) as process:
        for _ in range(3000):
            if Path('hanging').exists() or process.poll() is not None:
                break
            time.sleep(0.1)
        assert Path('hanging').exists()
        with pytest.raises(ToolError, match='is in use by another'):
            tool.main(argv_of())
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    Path('hang').unlink()
    # the lock is free again, so the child has ended
    tool.main(argv_of())
    assert '--resume' in calls()[1]
