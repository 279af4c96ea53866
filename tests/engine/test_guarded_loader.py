"""A video on which FFmpeg would crash or hang ends a run, once."""

import os
import signal
import subprocess
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from torch.utils.data import DataLoader

from lgd_mmaction.engine import BadVideoHook
from lgd_mmaction.engine.guarded_loader import guard_loader
from lgd_mmaction.errors import ConfigError, DataError
from lgd_mmaction.video.reading_notes import ReadingNotes, take_crashes
from tests.engine.test_bad_video_hook import config, listed, test_run, videos
from tests.warm import PYTHON

__all__ = ['videos']  # the fixture
FATAL = 'v07.mp4'


@TRANSFORMS.register_module(force=True)
class FatalDecoder(BaseTransform):
    """Stands before a decoder; crashes or hangs on one video.

    Args:
        how: 'abort', 'hang', or 'kill': as something else would.
        log: File that gets a line for each time.
    """

    def __init__(self, how: str, log: str) -> None:
        self.how, self.log = how, log

    def transform(self, results: dict) -> dict:
        other = not results['filename'].endswith(FATAL)
        if other or results.get('placeholder'):
            return results
        with open(self.log, 'a') as file:
            file.write(f'{os.getpid()}\n')
        if self.how == 'hang':
            time.sleep(600)
        if self.how == 'kill':
            os.kill(os.getpid(), signal.SIGKILL)
        os.abort()


def fatal(cfg: Config, how: str, folder: Path) -> Config:
    """The config with a decoder that dies of one video."""
    double = dict(type='FatalDecoder', how=how, log=str(folder / 'log'))
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.pipeline.insert(0, double)
    cfg.train_dataloader.dataset.max_bad_fraction = 0.1
    # a busy machine may need seconds for any video
    cfg.default_hooks.bad_videos.time_limit = 5 if how == 'hang' else 300
    return cfg


def deaths(folder: Path) -> int:
    return len((folder / 'log').read_text().split())


WHY = {
    'abort': 'reading it ended in "Fatal Python error: Aborted"',
    'hang': 'reading it ended in "Timeout (0:00:05)!"',
}


def same_as_one_that_knew(
    tiny: ModuleType, videos: Path, run: Path, how: str, **options: Any
) -> bool:
    """Whether a run ended as one that was given its list, bit for bit."""
    knew = run.with_name('knew')
    knew.mkdir()
    (knew / 'bad_videos.txt').write_text((run / 'bad_videos.txt').read_text())
    before = deaths(run.parent)
    tiny.train(fatal(config(tiny, videos, knew, **options), how, run.parent))
    assert deaths(run.parent) == before  # not opened at all
    ends = [tiny.checkpoint(f, 2) for f in (run, knew)]
    return all(
        tiny.same(ends[0][key], ends[1][key])
        for key in ('state_dict', 'optimizer')
    )


@pytest.mark.slow
@pytest.mark.parametrize('how', ['abort', 'hang'])
def test_training_saves_ends_and_goes_on(
    tiny: ModuleType, videos: Path, tmp_path: Path, how: str
) -> None:
    options = dict(max_epochs=2, switch_epoch=1, num_workers=2, safe=True)
    run = tmp_path / 'run'
    cfg = fatal(config(tiny, videos, run, **options), how, tmp_path)
    with pytest.raises(SystemExit) as end:
        tiny.train(cfg)
    assert end.value.code == 85 and deaths(tmp_path) == 1
    # no step was lost, and none half taken
    state = torch.load(run / 'mid_epoch.pth', weights_only=False)
    info = state['message_hub']['runtime_info']
    # the loss may come before the first step
    assert state['meta']['iter'] in (info['iter'] + 1, 0)
    tiny.train(
        fatal(config(tiny, videos, run, **options), how, tmp_path), True
    )
    assert deaths(tmp_path) == 1
    rows = [row for row in listed(run) if row[0] == FATAL]
    assert rows[0][1] == f'not opened again: {WHY[how]}'
    assert same_as_one_that_knew(tiny, videos, run, how, **options)


@pytest.mark.slow
def test_a_worker_that_something_else_killed_costs_no_video(
    tiny: ModuleType, videos: Path, tmp_path: Path
) -> None:
    options = dict(max_epochs=1, switch_epoch=None, num_workers=2, safe=True)
    run = tmp_path / 'run'
    end = 'exited unexpectedly|killed by signal'
    with pytest.raises(RuntimeError, match=end):
        tiny.train(fatal(config(tiny, videos, run, **options), 'kill', run))
    assert take_crashes(run) == []
    assert not list(run.glob('bad_videos.txt')) or FATAL not in [
        row[0] for row in listed(run)
    ]


@pytest.mark.slow
def test_without_workers_the_next_start_goes_on(
    tiny: ModuleType, videos: Path, tmp_path: Path
) -> None:
    how = 'hang'
    options = dict(max_epochs=2, switch_epoch=1, safe=True)
    run = tmp_path / 'run'
    cfg = fatal(config(tiny, videos, run, **options), how, tmp_path)
    cfg.dump(tmp_path / 'run.py')
    program = (
        'import sys\nfrom mmengine.config import Config\n'
        'from mmengine.registry import init_default_scope\n'
        'init_default_scope("mmaction")\n'
        'import tests.engine.test_guarded_loader\n'
        'from tests.engine import tiny_run\n'
        'sys.modules["tiny_run"] = tiny_run\n'
        'tiny_run.train(Config.fromfile(sys.argv[1]), True)\n'
    )
    command = [PYTHON, '-c', program, str(tmp_path / 'run.py')]
    ends = []
    for _ in range(2):
        ends.append(subprocess.run(command, capture_output=True, text=True))
    assert [end.returncode for end in ends] == [1, 0]
    assert deaths(tmp_path) == 1
    (row, *_) = [row for row in listed(run) if row[0] == FATAL]
    assert WHY[how] in row[1]
    assert same_as_one_that_knew(tiny, videos, run, how, **options)


@pytest.mark.slow
def test_a_test_that_is_run_again_ends_with_its_name(
    tiny: ModuleType, videos: Path, tmp_path: Path
) -> None:
    def tested() -> None:
        cfg = fatal(config(tiny, videos, tmp_path / 'a'), 'abort', tmp_path)
        cfg.test_dataloader.num_workers = 1
        test_run(cfg)

    with pytest.raises(SystemExit, match='85'):
        tested()
    with pytest.raises(DataError, match='^2 videos cannot be read') as error:
        tested()
    assert FATAL in str(error.value) and 'v05.mp4' in str(error.value)


def test_notes(tmp_path: Path) -> None:
    notes = ReadingNotes(tmp_path, 'val', 60)
    with notes.reading('a b.mp4'):
        (path,) = tmp_path.iterdir()
        assert path.name == '.reading_val_0_main'
        assert path.read_text() == 'reading a b.mp4\n'
        assert take_crashes(tmp_path) == []
    with pytest.raises(KeyError), notes.reading('x' * 9000):
        raise KeyError
    assert path.read_text() == ''
    # what ends a process between two reads is no video's fault
    path.write_text('Fatal Python error: Aborted\n\nThread\n')
    assert take_crashes(tmp_path) == []
    path.write_text('reading a b.mp4\nFatal Python error: Aborted\n\nThread')
    crash = 'val', 'a b.mp4', 'Fatal Python error: Aborted'
    assert take_crashes(tmp_path) == [crash]
    assert take_crashes(tmp_path) == []


def test_wrong_time_limit() -> None:
    with pytest.raises(ConfigError, match='time_limit=0'):
        BadVideoHook(time_limit=0)


def test_workers_that_persist_read_every_epoch() -> None:
    loader = DataLoader(
        list(range(6)), batch_size=2, num_workers=1, persistent_workers=True
    )
    guard_loader(loader, lambda: None)
    for _ in range(3):
        assert [b.tolist() for b in loader] == [[0, 1], [2, 3], [4, 5]]
