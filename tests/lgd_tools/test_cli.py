"""What the data tools share: exit codes, reading, atomic writing."""

import argparse
import json
import os
from pathlib import Path

import pytest

from lgd_tools import cli as common
from lgd_tools.cli import ToolError


def run(function, capsys) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        common.run_main(function)
    return stop.value.code, capsys.readouterr().err


def raising(error: BaseException):
    def main() -> int:
        raise error

    return main


@pytest.mark.parametrize(
    ('function', 'code', 'message'),
    [
        (lambda: 0, 0, ''),
        (lambda: None, 0, ''),
        (lambda: 1, 1, ''),
        (raising(ToolError('x is wrong: fix x')), 2, 'error: x is wrong'),
        (
            lambda: os.stat('/none/a'),
            2,
            'error: /none/a: No such',
        ),
        (raising(KeyboardInterrupt()), 130, 'interrupted'),
    ],
)
def test_exit_codes(function, code, message, capsys):
    got, err = run(function, capsys)
    assert got == code
    assert err.startswith(message) and err.count('\n') == bool(message)


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        common.run_main(lambda: 1 // 0)


@pytest.mark.parametrize(
    ('data', 'lines'),
    [
        (b'a 1\r\n\r\nb 2\r\n', [(1, 'a 1'), (3, 'b 2')]),
        (b'\xef\xbb\xbfa 1\n  b 2 \n', [(1, 'a 1'), (2, 'b 2')]),
        (b'a\rb', [(1, 'a'), (2, 'b')]),
        (b'caf\xe9 1\n', [(1, 'caf\xe9 1')]),
        ('caf\xe9 1\n'.encode(), [(1, 'caf\xe9 1')]),
        (b'', []),
    ],
)
def test_read_lines(tmp_path, data, lines):
    (tmp_path / 'list.txt').write_bytes(data)
    assert common.read_lines(tmp_path / 'list.txt') == lines


def test_read_text_refuses_what_is_no_text(tmp_path):
    (tmp_path / 'utf16.csv').write_bytes('label'.encode('utf-16'))
    with pytest.raises(ToolError, match=r'utf16\.csv holds NUL bytes'):
        common.read_text(tmp_path / 'utf16.csv')
    with pytest.raises(ToolError, match='csv .*none.csv does not exist'):
        common.read_text(tmp_path / 'none.csv', 'csv')
    with pytest.raises(ToolError, match='is not a file'):
        common.read_text(tmp_path)
    with pytest.raises(ToolError, match='is not a folder'):
        common.require_dir(tmp_path / 'utf16.csv', 'video folder')


def test_read_list_names_the_line(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('a b/c.mp4 3\nd.mp4 0\n')
    assert common.read_list(path) == [('a b/c.mp4', [3]), ('d.mp4', [0])]
    path.write_text('clip 64 3\n')
    assert common.read_list(path, fields=2) == [('clip', [64, 3])]
    path.write_text('a.mp4 3\n\nb.mp4 x\n')
    with pytest.raises(ToolError, match=r'list\.txt:3: .*b\.mp4 x'):
        common.read_list(path)
    path.write_text('a.mp4\n')
    with pytest.raises(ToolError, match=r'list\.txt:1'):
        common.read_list(path)


def test_read_label_map(tmp_path):
    path = tmp_path / 'map.txt'
    path.write_text('air drumming\r\nzumba\r\n')
    assert common.read_label_map(path) == ['air drumming', 'zumba']
    path.write_text('a\nb\na\n')
    with pytest.raises(ToolError, match=r'map\.txt:3: .*line 1 too'):
        common.read_label_map(path)
    path.write_text('\n')
    with pytest.raises(ToolError, match='is empty'):
        common.read_label_map(path)


def test_writing_is_atomic(tmp_path, monkeypatch):
    path = tmp_path / 'deep' / 'list.txt'
    common.write_lines(path, ['a 0', 'b\xe9 1'])
    assert path.read_bytes() == b'a 0\nb\xc3\xa9 1\n'
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask

    def fail(*_: object) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(OSError, match='No space'):
        common.write_lines(path, ['new'])
    assert path.read_bytes() == b'a 0\nb\xc3\xa9 1\n'
    assert os.listdir(path.parent) == ['list.txt']


def test_write_json_refuses_nan(tmp_path):
    common.write_json(tmp_path / 'a.json', {'x': 0.5})
    assert (tmp_path / 'a.json').read_text() == '{\n  "x": 0.5\n}\n'
    with pytest.raises(ValueError, match='JSON'):
        common.write_json(tmp_path / 'a.json', {'x': float('nan')})


def test_names_that_are_not_utf8(tmp_path, capsys):
    (tmp_path / os.fsdecode(b'caf\xe9.mp4')).touch()
    [name] = common.list_videos(tmp_path)
    path = common.write_lines(tmp_path / 'bad.txt', ['a', name, 'caf\xe9'])
    assert path.read_bytes() == b'a\ncaf\\udce9.mp4\ncaf\xc3\xa9\n'
    err = capsys.readouterr().err
    assert err.startswith('warning: ') and 'bad.txt: 1 lines' in err
    assert 'caf\\udce9.mp4' in err and 'rename' in err
    # JSON has an escape for it, so there is nothing to warn of
    common.write_json(tmp_path / 'a.json', {name: 'caf\xe9'})
    text = (tmp_path / 'a.json').read_text(encoding='utf-8')
    assert json.loads(text) == {name: 'caf\xe9'}
    assert capsys.readouterr().err == ''


def test_list_videos(tmp_path):
    for name in (
        'b/-x.MP4',
        'b/._x.mp4',
        'b/.half.mp4',
        'a b/c/y.mkv',
        'z.webm',
        'notes.txt',
        '.cache/w.mp4',
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'gone.mp4').symlink_to(tmp_path / 'nowhere.mp4')
    (tmp_path / 'b' / 'loop').symlink_to(tmp_path)
    expected = ['z.webm', 'a b/c/y.mkv', 'b/-x.MP4']
    assert common.list_videos(tmp_path) == expected
    with pytest.raises(ToolError, match='video folder .* does not exist'):
        common.list_videos(Path('/nowhere'))


@pytest.mark.parametrize(
    ('function', 'good', 'bad'),
    [
        (common.positive_int, {'1': 1}, ['0', '-1', 'x', '1.5']),
        (common.non_negative_int, {'0': 0}, ['-1', '']),
        (
            common.parse_size,
            {'320x240': (320, 240), '64': (64, 64)},
            ['', 'x', '0x5', '5x', '1x2x3', '-1x2', '3.5'],
        ),
        (common.open_fraction, {'0.2': 0.2}, ['0', '1', 'nan', 'x']),
    ],
)
def test_argument_types(function, good, bad):
    for text, value in good.items():
        assert function(text) == value
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match='is not a'):
            function(text)
