"""The newest complete checkpoint is found, or an error says what is there."""

import os
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lgd_mmaction.checkpoints import fault_of, find_resume_point
from lgd_mmaction.errors import CheckpointError


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
    assert find_resume_point(copy, copy, 'epoch_{}.pth')[0] == path
    tear(path)
    assert fault_of(path)
    point, (note,) = find_resume_point(copy, copy, 'epoch_{}.pth')
    assert point == copy / 'epoch_3.pth'
    assert note.startswith(f'cannot resume from {path}: it')
    (copy / 'epoch_3.pth').unlink()
    with pytest.raises(CheckpointError, match='nothing in .* can be resumed'):
        find_resume_point(copy, copy, 'epoch_{}.pth')


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    # within a tensor: only its check sum tells
    data[len(data) // 2] ^= 64
    path.write_bytes(data)


@pytest.mark.parametrize('meta', [None, 'epoch 4', {'epoch': 4}])
def test_meta_that_tells_no_epoch(tmp_path: Path, meta: object) -> None:
    parts = dict.fromkeys(('state_dict', 'message_hub', 'optimizer'), {})
    torch.save({**parts, 'meta': meta}, tmp_path / 'a.pth')
    fault = fault_of(tmp_path / 'a.pth')
    assert fault == 'it does not tell its epoch and iteration'


def test_which_one_is_resumed(copy: Path) -> None:
    tmpl = 'epoch_{}.pth'
    # moved: last_checkpoint names the old place, if that is gone
    (copy / 'last_checkpoint').write_text('/gone/epoch_4.pth')
    point, notes = find_resume_point(copy, copy, tmpl)
    assert point == copy / 'epoch_4.pth' and len(notes) == 1
    # a leftover of an earlier run in this folder is newer than it may be
    (copy / 'last_checkpoint').write_text(str(copy / 'epoch_3.pth'))
    os.truncate(copy / 'epoch_3.pth', 10)
    shutil.copy(copy / 'epoch_4.pth', copy / 'epoch_2.pth')
    assert find_resume_point(copy, copy, tmpl)[0] == copy / 'epoch_2.pth'
    # no pointer: the newest
    (copy / 'last_checkpoint').unlink()
    point, notes = find_resume_point(copy, copy, tmpl)
    assert point == copy / 'epoch_4.pth'
    assert notes == [f'{copy / "last_checkpoint"} is missing']
    (copy / 'last_checkpoint').touch()
    assert 'is empty' in find_resume_point(copy, copy, tmpl)[1][0]
    # nothing at all: a first start
    (copy / 'new').mkdir()
    assert find_resume_point(copy / 'new', copy / 'new', tmpl)[0] is None


@pytest.mark.slow
def test_state_within_an_epoch_without_a_pointer(copy: Path) -> None:
    tmpl = 'epoch_{}.pth'
    (copy / 'last_checkpoint').unlink()
    # the state within an epoch is newer; torn, it is passed over
    middle = Path(shutil.copy(copy / 'epoch_4.pth', copy / 'mid_epoch.pth'))
    assert find_resume_point(copy, copy, tmpl)[0] == middle
    # the first epoch was not finished
    (copy / 'first').mkdir()
    shutil.copy(middle, copy / 'first')
    first, _ = find_resume_point(copy / 'first', copy / 'first', tmpl)
    assert first == copy / 'first' / 'mid_epoch.pth'
    os.truncate(middle, 10)
    point, notes = find_resume_point(copy, copy, tmpl)
    assert point == copy / 'epoch_4.pth' and len(notes) == 2


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
