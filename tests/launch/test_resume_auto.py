"""The first start with --resume auto keeps the weights that it begins with."""

import sys
from pathlib import Path

import pytest

from lgd_mmaction.launch import stock_tools as launch
from lgd_mmaction.launch.stock_tools import (
    _load_script,
    _merged_config,
    stock_tools_dir,
)


@pytest.mark.parametrize(
    'option', [['--resume'], ['--resume', 'auto'], ['--res', 'auto']]
)
def test_first_start_keeps_load_from(
    option: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    config = tmp_path / 'a.py'
    config.write_text("load_from = 'kinetics.pth'\nresume = False\n")
    work_dir = tmp_path / 'run'
    argv = ['train.py', str(config), '--work-dir', str(work_dir), *option]
    script = _load_script(stock_tools_dir() / 'train.py')

    def start() -> tuple[bool, str | None]:
        monkeypatch.setattr(sys, 'argv', [*argv, '--seed', '3'])
        args = script.parse_args()
        cfg = _merged_config(script, args)
        assert args.seed == 3
        return cfg.resume, cfg.load_from

    assert start() == (False, 'kinetics.pth')
    assert 'starts from kinetics.pth' in capsys.readouterr().err
    work_dir.mkdir()
    (work_dir / 'last_checkpoint').write_text('x')
    assert start() == (True, None)


@pytest.mark.parametrize(
    ('hook', 'name', 'resumes'),
    [
        ('SafeCheckpointHook', 'run/kinetics.pth', False),
        ('SafeCheckpointHook', 'run/best_acc_epoch_1.pth', False),
        ('SafeCheckpointHook', 'run/epoch_1.pth', True),
        # killed before last_checkpoint was written for the first time
        ('SafeCheckpointHook', 'run/mid_epoch.pth', True),
        ('SafeCheckpointHook, by_epoch=False', 'run/iter_8.pth', True),
        ('SafeCheckpointHook, filename_tmpl="a{}.pth"', 'run/a8.pth', True),
        ('SafeCheckpointHook, out_dir="ckpt"', 'run/epoch_1.pth', False),
        ('SafeCheckpointHook, out_dir="ckpt"', 'ckpt/run/epoch_1.pth', True),
        ('SafeCheckpointHook, out_dir="ckpt"', 'run/last_checkpoint', True),
        # stock resumes only what last_checkpoint names
        ('CheckpointHook', 'run/epoch_1.pth', False),
        ('CheckpointHook', 'run/last_checkpoint', True),
    ],
)
def test_load_from_gives_way_only_to_what_is_resumed(
    hook: str,
    name: str,
    resumes: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    kind, _, options = hook.partition(',')
    Path('a.py').write_text(
        "load_from = 'kinetics.pth'\nresume = False\n"
        f'default_hooks = dict(checkpoint=dict(type={kind!r},{options}))\n'
    )
    Path(name).parent.mkdir(parents=True)
    Path(name).touch()
    argv = ['train.py', 'a.py', '--work-dir', 'run', '--resume', 'auto']
    monkeypatch.setattr(sys, 'argv', argv)
    script = _load_script(stock_tools_dir() / 'train.py')
    cfg = _merged_config(script, script.parse_args())
    wanted = (True, None) if resumes else (False, 'kinetics.pth')
    assert (cfg.resume, cfg.load_from) == wanted


def test_the_train_tool_does_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / 'a.py'
    config.write_text("load_from = 'kinetics.pth'\nresume = False\n")
    script = _load_script(stock_tools_dir() / 'train.py')
    started = []
    monkeypatch.setattr(
        script, 'main', lambda: started.append(vars(script.parse_args()))
    )
    monkeypatch.setattr(launch, '_load_script', lambda path: script)
    monkeypatch.setattr(
        launch, 'check_config', lambda cfg, *_: started.append(cfg.load_from)
    )
    options = [str(config), '--work-dir', str(tmp_path / 'run')]
    monkeypatch.setattr(sys, 'argv', ['train.py', *options])
    expected = vars(script.parse_args())
    sys.argv += ['--resume', 'auto']
    launch.run_stock_tool('train.py')
    assert started == ['kinetics.pth', expected]
