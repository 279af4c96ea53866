"""What has a name is complete: the one writer of files that matter."""

import errno
import os
from pathlib import Path

import pytest

from lgd_mmaction.engine.checkpoint_hook import AtomicBackend
from lgd_mmaction.errors import CheckpointError
from lgd_mmaction.files import PART, atomic_path, remove_parts, write_bytes


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'a.pth'
    write_bytes(path, b'old')

    def full(part: Path, data: bytes) -> None:
        with part.open('wb') as file:
            file.write(data[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'write_bytes', full)
        with pytest.raises(OSError, match='No space left'):
            write_bytes(path, b'newer')
        with pytest.raises(CheckpointError, match='No space left.*--resume'):
            AtomicBackend().put(b'newer', path)
    assert path.read_bytes() == b'old' and os.listdir(tmp_path) == ['a.pth']
    write_bytes(path, b'newer')
    assert path.read_bytes() == b'newer' and os.listdir(tmp_path) == ['a.pth']


def test_only_parts_of_the_named_results_go(tmp_path: Path) -> None:
    mine, other = f'.b.pth.0a1b2c3d{PART}', f'.c.pth.0a1b2c3d{PART}'
    for name in (mine, other, '.mine'):
        (tmp_path / name).touch()
    remove_parts([tmp_path / 'b.pth', tmp_path / 'gone' / 'b.pth'])
    assert sorted(os.listdir(tmp_path)) == sorted(['.mine', other])


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / 'frames'
    for names in (['a', 'b'], ['c']):
        with atomic_path(target) as part:
            part.mkdir()
            for name in names:
                (part / name).touch()
        assert sorted(os.listdir(target)) == names
    with pytest.raises(KeyError), atomic_path(target) as part:
        part.mkdir()
        raise KeyError
    assert os.listdir(target) == ['c'] and os.listdir(tmp_path) == ['frames']


def test_everything_reaches_the_disk_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    for owner, name in (
        (Path, 'write_bytes'), (os, 'fsync'), (os, 'replace'),
    ):  # fmt: skip
        stock = getattr(owner, name)

        def noted(*args: object, n: str = name, f: object = stock) -> object:
            order.append(n)
            return f(*args)

        monkeypatch.setattr(owner, name, noted)
    write_bytes(tmp_path / 'a', b'x' * 10)
    assert order == ['write_bytes', 'fsync', 'replace', 'fsync']


def test_links_and_rights_as_a_plain_write(tmp_path: Path) -> None:
    (tmp_path / 'real').mkdir()
    target = tmp_path / 'real' / 'a'
    (tmp_path / 'a').symlink_to(target)
    target.write_bytes(b'1')
    mode = target.stat().st_mode
    write_bytes(tmp_path / 'a', b'2')
    assert (tmp_path / 'a').is_symlink() and target.read_bytes() == b'2'
    assert target.stat().st_mode == mode
