"""Files with a slip in them: errors say which file and line it is."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = """\
custom_imports = dict(imports=['lgd_mmaction'], allow_failed_imports=False)
model = dict(
    type='Recognizer3D',
    backbone=dict(type='LGDResNet3d', depth=50,
                  pretrained=None),
    cls_head=dict(type='KernelizedHead', num_classes=4, in_channels=2048))
default_scope = 'mmaction'
"""


# ------------------------------------------------- errors that say where
@pytest.mark.parametrize(
    'change, message',
    [
        (('depth=50,', 'depth=50,,'), r'config.py:4: SyntaxError'),
        (('depth=50', 'depth=depht'), r'config.py:4: NameError: .*depht'),
        (
            ('pretrained=', 'pretraned='),
            r'config.py:5: .*got an unexpected keyword argument .pretraned.',
        ),
        (
            ('KernelizedHead', 'KernelisedHead'),
            r'config.py:6: KernelisedHead is not in the .* registry; correct',
        ),
        (
            ('cls_head=dict(', 'cls_head=list('),
            r'config.py:6: TypeError: list\(\) takes no keyword arguments',
        ),
    ],
)
def test_config_errors_name_file_and_line(
    tmp_path: Path,
    change: tuple[str, str],
    message: str,
    refused: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import re

    monkeypatch.chdir(tmp_path)
    (tmp_path / 'config.py').write_text(CONFIG.replace(*change))
    # seen through a config that inherits it, too
    (tmp_path / 'child.py').write_text("_base_ = 'config.py'\nseed = 1\n")
    for name in ('config.py', 'child.py'):
        said = refused('train.py', tmp_path / name)
        assert re.search(message, said), said


def lines_of(folder: Path) -> dict[str, tuple[Callable, str]]:
    """Parsers of lists, each with a file whose third line is wrong."""
    from lgd_tools.cli import read_label_map, read_list
    from lgd_tools.lists import kinetics, ucf101
    from lgd_tools.results import run_log, video_names

    run = folder / '1' / 'vis_data'
    run.mkdir(parents=True)
    path = folder / 'a.txt'
    header = 'label,youtube_id,time_start,time_end,split\n'
    row = 'a,x{},1,2,train\n'
    return {
        'csv, a time': (
            lambda: list(kinetics.read_csv(path)),
            f'{header}{row}a,x,1,2s,train\n',
        ),
        'csv, a field more': (
            lambda: list(kinetics.read_csv(path)),
            f'{header}{row}a,b,x,1,2,train\n',
        ),
        'classes': (lambda: ucf101.read_classes(path, 3), '1 a\n2 b\n3\n'),
        'classes, the folder above': (
            lambda: ucf101.read_classes(path, 3),
            '1 a\n2 b\n3 ..\n',
        ),
        'train list': (
            lambda: ucf101.read_split(path, ['a'], True),
            'a/x.avi 1\na/y.avi 1\na/z.avi 2\n',
        ),
        'test list': (
            lambda: ucf101.read_split(path, ['a'], False),
            'a/x.avi\na/y.avi\n../z.avi\n',
        ),
        'label map': (lambda: read_label_map(path), 'a\nb\na\n'),
        'list': (lambda: read_list(path), 'a 1\nb 2\nc x\n'),
        'list of an analysis': (
            lambda: video_names.read_list(path),
            'a 1\nb 2\nc \u00b2\n',
        ),
        'log of a run': (
            lambda: run_log.read_records(path),
            '{"step": 1}\n{"step": 2}\n{"step": 3\n{"step": 4}\n',
        ),
    }


PARSERS = (
    *('csv, a time', 'csv, a field more', 'classes'),
    *('classes, the folder above', 'train list', 'test list'),
    *('label map', 'list', 'list of an analysis', 'log of a run'),
)


@pytest.mark.parametrize('name', PARSERS)
def test_lists_name_file_and_line(tmp_path: Path, name: str) -> None:
    from lgd_tools.cli import ToolError

    read, content = lines_of(tmp_path)[name]
    (tmp_path / 'a.txt').write_text(content, encoding='utf-8')
    with pytest.raises(ToolError, match=r'a\.txt:3\b') as error:
        read()
    assert '\n' not in str(error.value)


def test_no_link_leads_out_of_the_output(tmp_path: Path) -> None:
    from lgd_tools.cli import ToolError
    from lgd_tools.lists.clips import Links

    links = Links(tmp_path / 'out')
    for name in ('../up.avi', 'a/../../up.avi', '/etc/up.avi'):
        with pytest.raises(ToolError, match='leads out of'):
            links.place(tmp_path / 'videos', name)
    assert not (tmp_path / 'out').exists()


def test_what_fuzzing_found(tmp_path: Path) -> None:
    """One case of each cause that tests/fuzz came upon."""
    from lgd_tools.cli import ToolError
    from lgd_tools.journal import Journal
    from lgd_tools.results import run_log, summarise_splits

    deep = b'[' * 5000
    fused = tmp_path / 'fused.json'
    for data in (deep, b'[]', b'{"a": ' + b'9' * 5000):
        fused.write_bytes(data)
        with pytest.raises(ToolError):
            summarise_splits.read_report(fused)
    log = tmp_path / 'run' / '1' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_bytes(deep + b'\n{}\n')
    with pytest.raises(ToolError):
        run_log.read_course(tmp_path / 'run')
    # a damaged line of a journal costs that item only
    journal = tmp_path / 'journal.jsonl'
    journal.write_bytes(
        b'\xff\n{"key": "a", "status": "done"\n' + deep + b'\n'
        b'{"key": "b", "status": "done", "result": {"n": 1}}\n'
    )
    with Journal(journal) as book:
        pass
    assert list(book.entries) == ['b']


@pytest.mark.parametrize(
    'change',
    [
        lambda t: t['videos']['a/b']['tubes'][0].update(
            boxes=[[0, 0, 10**400, 3]]
        ),
        lambda t: t['videos']['a/b']['tubes'][0].update(boxes=[0, 0, 4, 4]),
        lambda t: t['videos']['a/b']['tubes'][0].update(
            boxes=[['0', '0', '4', '4']]
        ),
        lambda t: t.update(classes='a'),
        lambda t: t.update(dataset=[1]),
        lambda t: t['splits']['1'].update(train='a/b'),
        lambda t: t['splits']['1'].update(train=['a/b', 'a/b']),
    ],
)
def test_tubes_of_odd_values_are_refused(
    tmp_path: Path, change: Callable
) -> None:
    import json

    from lgd_mmaction.detection.annotations import load_tubes
    from lgd_mmaction.errors import DataError

    tube = {'label': 0, 'start': 0, 'boxes': [[0, 0, 4, 4]]}
    video = {'num_frames': 1, 'width': 8, 'height': 8, 'tubes': [tube]}
    content = {
        'format': 'lgd_mmaction tubes',
        'version': 1,
        'dataset': 'jhmdb',
        'classes': ['a'],
        'splits': {'1': {'train': ['a/b']}},
        'videos': {'a/b': video},
    }
    path = tmp_path / 'tubes.json'
    path.write_text(json.dumps(content))
    assert list(load_tubes(path).videos) == ['a/b']
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r'tubes\.json'):
        load_tubes(path)


@pytest.mark.parametrize('kind', ['no array', 'bomb', 'half a header'])
def test_tables_of_boxes_of_odd_entries_are_refused(
    tmp_path: Path, kind: str
) -> None:
    from lgd_mmaction.detection.box_table import BoxTable
    from lgd_mmaction.errors import DataError

    data = {
        'no array': b'boxes',
        'bomb': b'\0' * (2**26 + 1),
        'half a header': b"\x93NUMPY\x01\0\x06\0{'descr",
    }[kind]
    path = tmp_path / 'a.npz'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('boxes.npy', data)
    del data
    with pytest.raises(DataError, match='cannot be read as a file of'):
        BoxTable.load(path, 'detections')
