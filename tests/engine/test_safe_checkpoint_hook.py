"""Checkpoints are whole, kept until replaced, and found when resuming."""

import errno
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from mmengine.runner import ValLoop

from lgd_mmaction.checkpoints import fault_of, find_resume_point
from lgd_mmaction.engine import SafeCheckpointHook
from lgd_mmaction.errors import CheckpointError, TrainingError
from lgd_mmaction.files import (
    AtomicBackend,
    remove_parts,
    write_atomic,
)


@pytest.fixture(scope='module')
def whole(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four epochs, the last two checkpoints and the best one kept."""
    folder = tmp_path_factory.mktemp('whole')
    tiny.train(tiny.tiny_config(folder, safe=True, validate=True))
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """The same in a folder of its own: a moved work directory."""
    return Path(shutil.copytree(whole, tmp_path / 'copy'))


def checkpoints(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob('*.pth'))


# writing


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'a.pth'
    write_atomic(path, b'old')
    calls = []

    def full(fd: int, data: bytes) -> int:
        if calls:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        calls.append(1)
        return os.pwrite(fd, data[:2], 0)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'write', full)
        with pytest.raises(OSError, match='No space left'):
            write_atomic(path, b'newer')
        with pytest.raises(CheckpointError, match='No space left.*--resume'):
            AtomicBackend().put(b'newer', path)
    assert path.read_bytes() == b'old' and os.listdir(tmp_path) == ['a.pth']
    write_atomic(path, b'newer')
    assert path.read_bytes() == b'newer' and os.listdir(tmp_path) == ['a.pth']
    (tmp_path / '.b.pth.0.lgd-part').touch()
    (tmp_path / '.mine').touch()
    assert [p.name for p in remove_parts(tmp_path)] == ['.b.pth.0.lgd-part']
    assert sorted(os.listdir(tmp_path)) == ['.mine', 'a.pth']


def test_everything_reaches_the_disk_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    for name in ('write', 'fsync', 'replace'):
        stock = getattr(os, name)

        def noted(*args: object, n: str = name, f: object = stock) -> object:
            order.append(n)
            return f(*args)

        monkeypatch.setattr(os, name, noted)
    write_atomic(tmp_path / 'a', b'x' * 10)
    assert order == ['write', 'fsync', 'replace', 'fsync']


def test_links_and_rights_as_a_plain_write(tmp_path: Path) -> None:
    (tmp_path / 'real').mkdir()
    target = tmp_path / 'real' / 'a'
    (tmp_path / 'a').symlink_to(target)
    target.write_bytes(b'1')
    mode = target.stat().st_mode
    write_atomic(tmp_path / 'a', b'2')
    assert (tmp_path / 'a').is_symlink() and target.read_bytes() == b'2'
    assert target.stat().st_mode == mode


def full_disk(config: Path, limit: int) -> subprocess.CompletedProcess:
    """Train where no file can grow beyond a size, as on a full disk."""
    script = Path(__file__).parent / 'tiny_run.py'
    paths = [str(script.parents[2]), str(script.parent)]

    def limited() -> None:
        # without the signal, write() fails as it does on a full disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, '-W', 'ignore', str(script), str(config), '--resume'],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
        preexec_fn=limited,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_full_disk(
    tiny: ModuleType, whole: Path, copy: Path, tmp_path: Path
) -> None:
    # as after three epochs
    for name in ('epoch_4.pth', 'last_validation'):
        (copy / name).unlink()
    (copy / 'last_checkpoint').write_text(str(copy / 'epoch_3.pth'))
    (copy / 'last_validation').write_text('3')
    before = checkpoints(copy)
    cfg = tiny.tiny_config(copy, safe=True, validate=True)
    cfg.dump(tmp_path / 'config.py')
    size = (copy / 'epoch_3.pth').stat().st_size
    done = full_disk(tmp_path / 'config.py', size // 2)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert 'epoch_4.pth' in last and 'File too large' in last
    assert 'earlier checkpoints are untouched' in last
    assert checkpoints(copy) == before and not list(copy.glob('.*'))
    assert (copy / 'last_checkpoint').read_text().endswith('epoch_3.pth')
    tiny.train(cfg, resume=True)
    for key in ('state_dict', 'optimizer', 'param_schedulers'):
        a, b = (tiny.checkpoint(f, 4)[key] for f in (whole, copy))
        assert tiny.same(a, b), key


# keeping


@pytest.mark.slow
def test_old_ones_go_when_the_new_one_is_there(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    stock = Path.unlink

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if self.suffix == '.pth' and self.exists():
            pointer = (tmp_path / 'last_checkpoint').read_text()
            seen.append((self.name, Path(pointer).name))
            assert fault_of(pointer) is None
        stock(self, missing_ok)

    monkeypatch.setattr(Path, 'unlink', unlink)
    tiny.train(tiny.tiny_config(tmp_path, safe=True))
    assert seen == [
        ('epoch_1.pth', 'epoch_3.pth'),
        ('epoch_2.pth', 'epoch_4.pth'),
    ]
    assert checkpoints(tmp_path) == ['epoch_3.pth', 'epoch_4.pth']


def test_best_one_is_replaced_after_the_better_one(tmp_path: Path) -> None:
    hook = SafeCheckpointHook(interval=1, save_best='acc', rule='greater')
    hub = SimpleNamespace(runtime_info={})
    hub.get_info = lambda k, d=None: hub.runtime_info.get(k, d)
    hub.update_info = hub.runtime_info.__setitem__
    saved = []

    def save(out_dir: str, filename: str, *_: object, **__: object) -> None:
        saved.append((filename, checkpoints(tmp_path)))
        write_atomic(Path(out_dir, filename), b'1')

    runner = SimpleNamespace(
        work_dir=str(tmp_path), message_hub=hub, save_checkpoint=save,
        logger=logging.getLogger('test'), epoch=1, iter=2, _resume=False,
        _has_loaded=False, train_loop=None, val_loop=None,
    )  # fmt: skip
    hook.before_run(runner)
    hook.before_train(runner)
    hook._save_checkpoint_with_step(runner, 1, dict(epoch=1, iter=2))
    for epoch, score in ((1, 0.5), (2, 0.4), (3, 0.6)):
        runner.epoch = epoch
        hook.after_val_epoch(runner, {'acc': score})
        assert (tmp_path / 'last_validation').read_text() == str(epoch)
    best = [s for s in saved if s[0].startswith('best')]
    assert best[0] == ('best_acc_epoch_1.pth', ['epoch_1.pth'])
    # the former best one was still there when the better one was saved
    assert best[1][0] == 'best_acc_epoch_3.pth'
    assert 'best_acc_epoch_1.pth' in best[1][1] and len(best) == 2
    assert [n for n in checkpoints(tmp_path) if 'best' in n] == [
        'best_acc_epoch_3.pth'
    ]


@pytest.mark.slow
def test_what_a_kill_left_is_removed(
    tiny: ModuleType, whole: Path, copy: Path
) -> None:
    # one was to be removed when the process died, another half written
    hub = torch.load(whole / 'epoch_4.pth')['message_hub']
    (name,) = hub['runtime_info']['outdated_ckpts']
    assert name not in checkpoints(whole)
    shutil.copy(copy / 'epoch_3.pth', copy / name)
    (copy / '.epoch_4.pth.1.lgd-part').touch()
    tiny.train(tiny.tiny_config(copy, safe=True, validate=True), resume=True)
    assert checkpoints(copy) == checkpoints(whole)
    assert not list(copy.glob('.*'))


def test_nan_is_not_saved(tiny: ModuleType, tmp_path: Path) -> None:
    runner = tiny.train(tiny.tiny_config(tmp_path, safe=True, max_epochs=1))
    before = (tmp_path / 'epoch_1.pth').read_bytes()
    (hook,) = [h for h in runner.hooks if isinstance(h, SafeCheckpointHook)]
    weight = runner.model.cls_head.fc_local.weight
    for value in (float('nan'), float('inf')):
        with torch.no_grad():
            weight[0, 0] = value
        with pytest.raises(TrainingError, match='cls_head.fc_local.weight'):
            hook._save_checkpoint(runner)
    assert (tmp_path / 'epoch_1.pth').read_bytes() == before
    assert checkpoints(tmp_path) == ['epoch_1.pth']


def test_other_storage_is_stock(tmp_path: Path) -> None:
    for kwargs in (
        dict(out_dir='s3://bucket/runs'),
        dict(backend_args=dict(backend='petrel')),
        dict(file_client_args=dict(backend='disk')),
    ):
        hook = SafeCheckpointHook(interval=1, **kwargs)
        runner = SimpleNamespace(work_dir=str(tmp_path))
        assert not hook._is_local(runner), kwargs
    assert SafeCheckpointHook(interval=1)._is_local(runner)


# resuming


@pytest.mark.slow
@pytest.mark.parametrize(
    'tear',
    [
        lambda p: os.truncate(p, p.stat().st_size // 2),
        lambda p: os.truncate(p, 0),
        lambda p: flip_byte(p),
        lambda p: p.unlink(),
        lambda p: p.write_bytes(b'<html>not found</html>'),
        lambda p: torch.save({'state_dict': {}}, p),
    ],
    ids=['half', 'empty', 'flipped', 'gone', 'html', 'weights'],
)
def test_torn_checkpoint(copy: Path, tear: object) -> None:
    path = copy / 'epoch_4.pth'
    (copy / 'last_checkpoint').write_text(str(path))
    assert fault_of(path) is None
    assert find_resume_point(copy, copy, 'epoch_{}.pth').path == path
    tear(path)
    assert fault_of(path)
    point = find_resume_point(copy, copy, 'epoch_{}.pth')
    assert point.path == copy / 'epoch_3.pth'
    (note,) = point.notes
    assert note.startswith(f'cannot resume from {path}: it')
    (copy / 'epoch_3.pth').unlink()
    with pytest.raises(CheckpointError, match='nothing in .* can be resumed'):
        find_resume_point(copy, copy, 'epoch_{}.pth')


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    # within a tensor: only its check sum tells
    data[len(data) // 2] ^= 64
    path.write_bytes(data)


def test_which_one_is_resumed(copy: Path) -> None:
    tmpl = 'epoch_{}.pth'
    # moved: last_checkpoint names the old place, if that is gone
    (copy / 'last_checkpoint').write_text('/gone/epoch_4.pth')
    point = find_resume_point(copy, copy, tmpl)
    assert point.path == copy / 'epoch_4.pth' and len(point.notes) == 1
    # a leftover of an earlier run in this folder is newer than it may be
    (copy / 'last_checkpoint').write_text(str(copy / 'epoch_3.pth'))
    os.truncate(copy / 'epoch_3.pth', 10)
    shutil.copy(copy / 'epoch_4.pth', copy / 'epoch_2.pth')
    assert find_resume_point(copy, copy, tmpl).path == copy / 'epoch_2.pth'
    # no pointer: the newest
    (copy / 'last_checkpoint').unlink()
    point = find_resume_point(copy, copy, tmpl)
    assert point.path == copy / 'epoch_4.pth'
    assert point.notes == [f'{copy / "last_checkpoint"} is missing']
    (copy / 'last_checkpoint').touch()
    assert 'is empty' in find_resume_point(copy, copy, tmpl).notes[0]
    # nothing at all: a first start
    (copy / 'new').mkdir()
    assert find_resume_point(copy / 'new', copy / 'new', tmpl).path is None


@pytest.mark.slow
def test_state_within_an_epoch_without_a_pointer(copy: Path) -> None:
    tmpl = 'epoch_{}.pth'
    (copy / 'last_checkpoint').unlink()
    # the state within an epoch is newer; torn, it is passed over
    middle = Path(shutil.copy(copy / 'epoch_4.pth', copy / 'mid_epoch.pth'))
    assert find_resume_point(copy, copy, tmpl).path == middle
    # the first epoch was not finished
    (copy / 'first').mkdir()
    shutil.copy(middle, copy / 'first')
    first = find_resume_point(copy / 'first', copy / 'first', tmpl)
    assert first.path == copy / 'first' / 'mid_epoch.pth'
    os.truncate(middle, 10)
    point = find_resume_point(copy, copy, tmpl)
    assert point.path == copy / 'epoch_4.pth' and len(point.notes) == 2


@pytest.mark.slow
def test_fallback_says_so_and_ends_the_same(
    tiny: ModuleType, whole: Path, copy: Path, capsys: pytest.CaptureFixture
) -> None:
    (copy / 'last_checkpoint').write_text(str(copy / 'epoch_4.pth'))
    os.truncate(copy / 'epoch_4.pth', 1000)
    cfg = tiny.tiny_config(copy, safe=True, validate=True)
    tiny.train(cfg, resume=True)
    text = ''.join(p.read_text() for p in copy.glob('*/*.log'))
    assert f'cannot resume from {copy}/epoch_4.pth: it is cut short' in text
    assert f'resuming from {copy}/epoch_3.pth instead' in text
    for key in ('state_dict', 'optimizer', 'param_schedulers'):
        a, b = (tiny.checkpoint(f, 4)[key] for f in (whole, copy))
        assert tiny.same(a, b), key


def test_named_checkpoint_is_taken_or_refused(
    tiny: ModuleType, copy: Path, tmp_path: Path
) -> None:
    os.truncate(copy / 'epoch_4.pth', 1000)
    cfg = tiny.tiny_config(tmp_path / 'new', safe=True)
    cfg.load_from = str(copy / 'epoch_4.pth')
    with pytest.raises(CheckpointError, match='epoch_4.pth: it is cut short'):
        tiny.train(cfg, resume=True)
    cfg.load_from = str(copy / 'epoch_3.pth')
    runner = tiny.train(cfg, resume=True)
    assert runner.iter == 8 and runner.epoch == 4


@pytest.fixture
def url(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The folder of the whole run, behind http."""
    # where downloads are kept
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    handler = partial(SimpleHTTPRequestHandler, directory=str(whole))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize('remote', [False, True], ids=['out_dir', 'url'])
def test_validation_after_resuming_from_elsewhere(
    remote: bool, tiny: ModuleType, whole: Path, url: str, tmp_path: Path
) -> None:
    cfg = tiny.tiny_config(tmp_path / 'new', safe=True, validate=True)
    if remote:
        cfg.load_from = f'{url}/epoch_4.pth'
    else:
        cfg.load_from = str(whole / 'epoch_4.pth')
        # not made yet when the validation begins
        cfg.default_hooks.checkpoint.out_dir = str(tmp_path / 'ckpt')
    before = checkpoints(whole)
    tiny.train(cfg, resume=True)
    assert (tmp_path / 'new' / 'last_validation').read_text() == '4'
    assert checkpoints(whole) == before


@pytest.mark.slow
def test_validation_that_was_cut_off_is_made_up_for(
    tiny: ModuleType, copy: Path
) -> None:
    cfg = tiny.tiny_config(copy, safe=True, validate=True)

    def validations(resume_with: str) -> int:
        (copy / 'last_validation').write_text(resume_with)
        folders = set(copy.glob('*/vis_data'))
        runner = tiny.train(cfg, resume=True)
        (folder,) = set(copy.glob('*/vis_data')) - folders or folders
        assert runner.iter == 8
        path = folder / 'scalars.json'
        return path.read_text().count('acc/top1') if path.exists() else 0

    (copy / 'last_checkpoint').write_text(str(copy / 'epoch_4.pth'))
    for folder in copy.glob('*/vis_data'):
        shutil.rmtree(folder.parent)
    assert validations('3') == 1
    for folder in copy.glob('*/vis_data'):
        shutil.rmtree(folder.parent)
    assert validations('4') == 0


@pytest.mark.slow
def test_validation_of_an_earlier_run_does_not_count(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = tiny.tiny_config(tmp_path, safe=True, validate=True, max_epochs=1)
    # a run in this folder had validated the epoch; a fresh one is cut off
    mark = tmp_path / 'last_validation'
    mark.write_text('1')
    with monkeypatch.context() as patch:
        patch.setattr(ValLoop, 'run', lambda self: sys.exit(9))
        with pytest.raises(SystemExit):
            tiny.train(cfg)
    assert checkpoints(tmp_path) == ['epoch_1.pth'] and not mark.exists()
    tiny.train(cfg, resume=True)
    assert mark.read_text() == '1'
    assert any(n.startswith('best_acc') for n in checkpoints(tmp_path))
