"""A video on which FFmpeg would crash or hang costs a run nothing else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from lgd_mmaction.engine import BadVideoHook, guarded_loader
from lgd_mmaction.engine.guarded_loader import GuardedLoader, guard_loader
from lgd_mmaction.errors import ConfigError, DataError
from lgd_mmaction.video.bad_videos import BadVideoList
from lgd_mmaction.video.errors import BrokenVideoError
from lgd_mmaction.video.reading_notes import ReadingNotes, read_notes
from tests.engine.test_bad_video_hook import config, listed, test_run, videos

__all__ = ['videos']  # the fixture
FATAL = 'v07.mp4'


@TRANSFORMS.register_module(force=True)
class FatalDecoder(BaseTransform):
    """Stands before a decoder; crashes or hangs on one video.

    Args:
        how: 'abort', 'hang', or 'once': crash the first time only.
        log: File that gets a line for each time.
    """

    def __init__(self, how: str, log: str) -> None:
        self.how, self.log = how, log

    def transform(self, results: dict) -> dict:
        other = not results['filename'].endswith(FATAL)
        if other or results.get('placeholder'):
            return results
        first = not os.path.exists(self.log)
        with open(self.log, 'a') as file:
            file.write(f'{os.getpid()}\n')
        if self.how == 'hang':
            time.sleep(600)
        elif first or self.how == 'abort':
            os.abort()
        return results


def fatal(cfg: Config, how: str, folder: Path) -> Config:
    """The config with a decoder that dies of one video."""
    double = dict(type='FatalDecoder', how=how, log=str(folder / 'log'))
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.pipeline.insert(0, double)
    cfg.train_dataloader.dataset.max_bad_fraction = 0.1
    cfg.default_hooks.bad_videos.time_limit = 2
    return cfg


def deaths(folder: Path) -> int:
    return len((folder / 'log').read_text().split())


@pytest.mark.slow
@pytest.mark.parametrize(('how', 'times'), [('abort', 2), ('hang', 1)])
def test_training_goes_on(
    tiny: ModuleType, videos: Path, tmp_path: Path, how: str, times: int
) -> None:
    """To the weights of a run that knew it from the start, bit for bit."""
    options = dict(max_epochs=2, switch_epoch=1, num_workers=2, safe=True)
    run, knew = tmp_path / 'run', tmp_path / 'knew'
    tiny.train(fatal(config(tiny, videos, run, **options), how, tmp_path))
    assert deaths(tmp_path) == times
    rows = listed(run)
    assert sorted(row[0] for row in rows) == ['v05.mp4', FATAL]
    (row,) = [row for row in rows if row[0] == FATAL]
    why = {'abort': 'ended its process (SIGABRT)', 'hang': 'took over 2 sec'}
    assert row[1].startswith('not opened again: ') and why[how] in row[1]
    log = next(run.glob('*/*.log')).read_text()
    assert 'epoch 2: 2 of 24 training videos' in log
    # the same folder again: it is not opened at all
    knew.mkdir()
    (knew / 'bad_videos.txt').write_text((run / 'bad_videos.txt').read_text())
    tiny.train(fatal(config(tiny, videos, knew, **options), how, tmp_path))
    assert deaths(tmp_path) == times
    ends = [tiny.checkpoint(f, 2) for f in (run, knew)]
    for key in ('state_dict', 'optimizer'):
        assert tiny.same(ends[0][key], ends[1][key])


@pytest.mark.slow
def test_a_worker_that_something_else_killed_costs_no_video(
    tiny: ModuleType, videos: Path, tmp_path: Path
) -> None:
    options = dict(max_epochs=1, switch_epoch=None, num_workers=2, safe=True)
    run, calm = tmp_path / 'run', tmp_path / 'calm'
    tiny.train(fatal(config(tiny, videos, run, **options), 'once', tmp_path))
    assert [row[0] for row in listed(run)] == ['v05.mp4']
    tiny.train(config(tiny, videos, calm, **options))
    assert deaths(tmp_path) == 2
    ends = [tiny.checkpoint(f, 1)['state_dict'] for f in (run, calm)]
    assert tiny.same(*ends)


@pytest.mark.slow
def test_two_ranks(
    tiny: ModuleType, dist_run: ModuleType, videos: Path, tmp_path: Path
) -> None:
    """The other rank waits; both end with the same weights."""
    run, knew = tmp_path / 'run', tmp_path / 'knew'
    options = dict(max_epochs=2, switch_epoch=1, num_workers=1, safe=True)
    for folder in (run, knew):
        cfg = fatal(config(tiny, videos, folder, **options), 'abort', tmp_path)
        cfg.launcher = 'pytorch'
        if folder is knew:
            knew.mkdir()
            text = (run / 'bad_videos.txt').read_text()
            (knew / 'bad_videos.txt').write_text(text)
        dist_run.World(2, lambda cfg=cfg: tiny.train(cfg) and None).results()
        assert deaths(tmp_path) == 2
        assert sorted({row[0] for row in listed(folder)}) == ['v05.mp4', FATAL]
    ends = [tiny.checkpoint(f, 2)['state_dict'] for f in (run, knew)]
    assert tiny.same(*ends)


@pytest.mark.slow
def test_without_workers_the_next_start_goes_on(
    tiny: ModuleType, videos: Path, tmp_path: Path
) -> None:
    options = dict(max_epochs=2, switch_epoch=1, safe=True)
    run, knew = tmp_path / 'run', tmp_path / 'knew'
    cfg = fatal(config(tiny, videos, run, **options), 'abort', tmp_path)
    cfg.dump(tmp_path / 'run.py')
    code = (
        'import sys\nfrom mmengine.config import Config\n'
        'from mmengine.registry import init_default_scope\n'
        'init_default_scope("mmaction")\n'
        'import tests.engine.test_guarded_loader\n'
        'from tests.engine import tiny_run\n'
        'sys.modules["tiny_run"] = tiny_run\n'
        'tiny_run.train(Config.fromfile(sys.argv[1]), True)\n'
    )
    command = [sys.executable, '-c', code, str(tmp_path / 'run.py')]
    ends = []
    for _ in range(2):
        ends.append(subprocess.run(command, capture_output=True, text=True))
    assert [end.returncode for end in ends] == [-signal.SIGABRT, 0]
    assert deaths(tmp_path) == 1
    (row, *_) = [row for row in listed(run) if row[0] == FATAL]
    assert 'ended in "Fatal Python error: Aborted"' in row[1]
    knew.mkdir()
    (knew / 'bad_videos.txt').write_text((run / 'bad_videos.txt').read_text())
    tiny.train(fatal(config(tiny, videos, knew, **options), 'abort', tmp_path))
    assert tiny.same(
        *(tiny.checkpoint(f, 2)['state_dict'] for f in (run, knew))
    )


@pytest.mark.slow
def test_a_test_ends_with_its_name(
    tiny: ModuleType, videos: Path, tmp_path: Path
) -> None:
    cfg = fatal(config(tiny, videos, tmp_path / 'a'), 'abort', tmp_path)
    cfg.test_dataloader.num_workers = 1
    with pytest.raises(DataError, match='^2 videos cannot be read') as error:
        test_run(cfg)
    assert FATAL in str(error.value) and 'v05.mp4' in str(error.value)
    stock = fatal(config(tiny, videos, tmp_path / 'b'), 'abort', tmp_path)
    stock.test_dataloader.num_workers = 1
    stock.test_dataloader.batch_size = 1
    stock.test_evaluator = dict(type='AccMetric')
    (videos / 'v05.mp4').write_bytes((videos / 'v04.mp4').read_bytes())
    with pytest.raises(BrokenVideoError, match=rf'{FATAL}: .*SIGABRT'):
        test_run(stock)


class Numbers(Dataset):
    """0 .. 11; what number 5 does is up to the test."""

    def __init__(self, notes: ReadingNotes, act: object, note: bool) -> None:
        self.notes, self.act, self.note = notes, act, note

    def __len__(self) -> int:
        return 12

    def __getitem__(self, i: int) -> int:
        if i != 5:
            return i
        if not self.note:
            self.act()
        with self.notes.reading('five'):
            self.act()
        return i


def guarded(tmp_path: Path, act: object, note: bool = True) -> DataLoader:
    notes = ReadingNotes(tmp_path / 'notes')
    loader = DataLoader(Numbers(notes, act, note), 2, num_workers=2)
    bad_videos = BadVideoList()
    guard_loader(loader, notes, bad_videos, 'train', 1)
    guard_loader(loader, notes, bad_videos, 'train', 1)
    assert isinstance(loader, GuardedLoader)
    return loader


def test_a_death_outside_of_reading_is_an_error(tmp_path: Path) -> None:
    loader = guarded(tmp_path, os.abort, note=False)
    with pytest.raises(RuntimeError, match='worker exited while it read no'):
        list(loader)
    assert loader.bad_videos.condemned('five', 'train') is None


def test_one_that_dies_again_and_again_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data set that does not look at the list cannot be helped."""
    monkeypatch.setattr(guarded_loader, 'MAX_IN_A_ROW', 2)
    loader = guarded(tmp_path, os.abort)
    with pytest.raises(RuntimeError, match='workers exited 3 times in a row'):
        list(loader)
    assert 'SIGABRT' in loader.bad_videos.condemned('five', 'train')


def test_a_suspended_job_breaks_no_video(tmp_path: Path) -> None:
    """Time in which all processes are stopped does not count."""
    here, there = os.pipe()
    job = os.fork()
    if job == 0:  # no pytest in here
        os.setsid()
        try:
            loader = guarded(tmp_path, lambda: time.sleep(1))
            loader.time_limit = 3
            os.write(there, b'go')
            batches = torch.cat(list(loader)).tolist()
            bad = loader.bad_videos.condemned('five', 'train')
            fine = batches == [*range(12)] and bad is None
            os.write(there, b'fine' if fine else repr((batches, bad)).encode())
        except BaseException as error:
            os.write(there, repr(error).encode())
        finally:
            os._exit(0)
    os.close(there)
    try:
        assert os.read(here, 2) == b'go'
        time.sleep(0.5)
        os.killpg(job, signal.SIGSTOP)
        time.sleep(5)
        os.killpg(job, signal.SIGCONT)
        assert os.read(here, 1000) == b'fine'
    finally:
        os.close(here)
        os.killpg(job, signal.SIGKILL)
        os.waitpid(job, 0)


def test_notes(tmp_path: Path) -> None:
    notes = ReadingNotes(tmp_path / 'notes')
    with notes.reading('a b.mp4'):
        assert notes.now() == {0: (1, 'a b.mp4')}
        with pytest.raises(KeyError), notes.reading('x' * 9000):
            raise KeyError
    assert notes.now() == {} == read_notes(tmp_path / 'none')


def test_wrong_time_limit() -> None:
    with pytest.raises(ConfigError, match='time_limit=0'):
        BadVideoHook(time_limit=0)


def test_workers_that_persist_read_every_epoch(tmp_path: Path) -> None:
    loader = DataLoader(
        list(range(6)), batch_size=2, num_workers=1, persistent_workers=True
    )
    notes = ReadingNotes(tmp_path / 'notes')
    guard_loader(loader, notes, BadVideoList(), 'val', 60)
    for _ in range(3):
        assert [b.tolist() for b in loader] == [[0, 1], [2, 3], [4, 5]]
