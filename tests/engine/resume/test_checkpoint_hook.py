"""Checkpoints are whole, kept until replaced, and validated."""

import logging
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

from lgd_mmaction.checkpoints import fault_of
from lgd_mmaction.engine import SafeCheckpointHook
from lgd_mmaction.errors import ConfigError, TrainingError
from lgd_mmaction.files import PART, write_bytes


def checkpoints(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob('*.pth'))


# writing


def full_disk(
    tiny: ModuleType, config: Path, limit: int
) -> subprocess.CompletedProcess:
    """Train where no file can grow beyond a size, as on a full disk."""

    def limited() -> None:
        # without the signal, write() fails as it does on a full disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        **tiny.program(config, '--resume'),
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
    (copy / 'epoch_4.pth').unlink()
    (copy / 'last_checkpoint').write_text(str(copy / 'epoch_3.pth'))
    before = checkpoints(copy)
    cfg = tiny.tiny_config(copy, safe=True, validate=True)
    cfg.dump(tmp_path / 'config.py')
    size = (copy / 'epoch_3.pth').stat().st_size
    done = full_disk(tiny, tmp_path / 'config.py', size // 2)
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
        write_bytes(Path(out_dir, filename), b'1')

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
    content = torch.load(copy / 'epoch_4.pth')
    info = content['message_hub']['runtime_info']
    assert info['keep_ckpt_ids'] == [3, 4]
    info['keep_ckpt_ids'] = [2, 3, 4]  # as before epoch 2 was removed
    torch.save(content, copy / 'epoch_4.pth')
    (copy / 'last_checkpoint').write_text(str(copy / 'epoch_4.pth'))
    shutil.copy(copy / 'epoch_3.pth', copy / 'epoch_2.pth')
    (copy / f'.epoch_4.pth.1{PART}').touch()
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


@pytest.mark.parametrize(
    'kwargs',
    [
        dict(out_dir='s3://bucket/runs'),
        dict(backend_args=dict(backend='petrel')),
        dict(file_client_args=dict(backend='disk')),
    ],
    ids=lambda kwargs: next(iter(kwargs)),
)
def test_other_storage_is_refused(kwargs: dict) -> None:
    with pytest.raises(ConfigError, match="type='CheckpointHook'"):
        SafeCheckpointHook(interval=1, **kwargs)


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
    assert validations(tmp_path / 'new') == 1
    assert checkpoints(whole) == before


def validations(folder: Path) -> int:
    """How many were logged."""
    logs = folder.glob('*/vis_data/scalars.json')
    return sum(path.read_text().count('acc/top1') for path in logs)


@pytest.mark.slow
def test_validation_that_was_cut_off_is_made_up_for(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = tiny.tiny_config(tmp_path, safe=True, validate=True, max_epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr(ValLoop, 'run', lambda self: sys.exit(9))
        with pytest.raises(SystemExit):
            tiny.train(cfg)
    assert checkpoints(tmp_path) == ['epoch_1.pth']
    runner = tiny.train(cfg, resume=True)
    assert validations(tmp_path) == 1 and runner.iter == 2
    best, last = checkpoints(tmp_path)
    assert best.startswith('best_acc') and last == 'epoch_1.pth'
    # the checkpoint knows of the best one: once more, and nothing is saved
    before = (tmp_path / last).stat().st_mtime_ns
    tiny.train(cfg, resume=True)
    assert validations(tmp_path) == 2
    assert checkpoints(tmp_path) == [best, last]
    assert (tmp_path / last).stat().st_mtime_ns == before


@pytest.mark.slow
def test_no_validation_where_none_is_due(
    tiny: ModuleType, tmp_path: Path
) -> None:
    cfg = tiny.tiny_config(tmp_path, safe=True, validate=True, max_epochs=1)
    cfg.train_cfg.update(val_interval=2, val_begin=2)
    tiny.train(cfg)
    cfg.train_cfg.max_epochs = 2
    tiny.train(cfg, resume=True)
    assert validations(tmp_path) == 1
