"""Files from elsewhere: nothing in them runs, and errors say where."""

import io
import pickle
import resource
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import load_checkpoint

from lgd_mmaction.errors import CheckpointError
from lgd_mmaction.launch import run_stock_tool
from lgd_mmaction.models.inflate import load_2d_state_dict
from lgd_mmaction.safe_load import load_weights


class Payload:
    """Pickles as a call of any function."""

    def __init__(self, function: Callable, *args: object) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that appears when a payload runs."""
    return tmp_path / 'it_ran'


def with_pickle(path: Path, data: bytes, compress: bool = False) -> Path:
    """A checkpoint of today's format around a pickle made by hand."""
    buffer = io.BytesIO()
    torch.save({}, buffer)
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with (
        zipfile.ZipFile(buffer) as old,
        zipfile.ZipFile(path, 'w', kind) as new,
    ):
        for name in old.namelist():
            is_pickle = name.endswith('data.pkl')
            new.writestr(name, data if is_pickle else old.read(name))
    return path


def text(value: str) -> bytes:
    return b'X' + struct.pack('<I', len(value)) + value.encode()


def plain_bytes(value: str) -> bytes:
    return b'c_codecs\nencode\n' + text(value) + text('latin1') + b'\x86R'


_DTYPE = b'cnumpy\ndtype\n' + text('%s') + b'\x85R'
# pickles of protocol 2 that call only what numpy's own pickles call
BY_HAND = {
    # eight bytes of the file as the address of an object
    'pointer from a buffer': b'\x80\x02cnumpy\nndarray\nK\x01\x85'
    + _DTYPE.replace(text('%s'), text('O'))
    + plain_bytes('AAAAAAAA')
    + b'\x87R.',
    'object dtype': b'\x80\x02'
    + _DTYPE.replace(text('%s'), text('O8'))
    + b'.',
    'structured dtype': b'\x80\x02'
    + _DTYPE.replace(text('%s'), text('i4,O'))
    + b'.',
    'array that claims a terabyte': b'\x80\x02cnumpy\nndarray\n'
    b'\x8a\x06\0\0\0\0\0\x01\x85\x85R.',
    'bytes by the gigabyte': b'\x80\x02cbuiltins\nbytes\nJ\xff\xff\xff\x7f'
    b'\x85R.',
    'getattr of a function': b'\x80\x02cbuiltins\ngetattr\n'
    b'cmmengine.logging.history_buffer\nHistoryBuffer\n'
    + text('__init__')
    + b'\x86R.',
    'getattr by getattr': b'\x80\x02cbuiltins\ngetattr\n'
    b'cbuiltins\ngetattr\n' + text('__globals__') + b'\x86R.',
    'new stand-in with a buffer': b'\x80\x02cnumpy\nndarray\nK\x01\x85'
    + plain_bytes('A')
    + b'\x86\x81.',
    'state of another size': b'\x80\x02cnumpy.core.multiarray\n_reconstruct\n'
    b'cnumpy\nndarray\nK\0\x85'
    + plain_bytes('b')
    + b'\x87R(K\x01K\x09\x85'
    + _DTYPE.replace(text('%s'), text('f8'))
    + b'\x89'
    + plain_bytes('12345678')
    + b'tb.',
}


@pytest.mark.parametrize('name', BY_HAND)
def test_a_checkpoint_cannot_make_pointers_or_reach_functions(
    tmp_path: Path, name: str
) -> None:
    path = with_pickle(tmp_path / 'a.pth', BY_HAND[name])
    with pytest.raises(CheckpointError, match='a.pth cannot be read') as e:
        load_weights(path)
    assert '\n' not in str(e.value)


def bad_files(folder: Path, marker: Path) -> dict[str, Path]:
    """Checkpoints that run `marker.touch()` when they are believed."""
    paths = {
        name: folder / f'{name}.pth'
        for name in ('zip', 'old', 'nested', 'by_getattr', 'tar', 'pickle')
    }
    payload = Payload(Path.touch, marker)
    torch.save({'state_dict': {}, 'x': payload}, paths['zip'])
    torch.save(
        {'state_dict': {}, 'x': payload},
        paths['old'],
        _use_new_zipfile_serialization=False,
    )
    hub = {'log_scalars': {'loss': [HistoryBuffer([1.0], [1]), payload]}}
    torch.save({'state_dict': {}, 'message_hub': hub}, paths['nested'])
    reach = Payload(getattr, HistoryBuffer, '__init__')
    torch.save(
        {'x': Payload(getattr, reach, '__globals__')}, paths['by_getattr']
    )
    raw = pickle.dumps({'state_dict': {}, 'x': payload})
    with tarfile.open(paths['tar'], 'w') as tar:
        for name in ('storages', 'tensors', 'pickle'):
            entry = tarfile.TarInfo(name)
            entry.size = len(raw)
            tar.addfile(entry, io.BytesIO(raw))
    paths['pickle'].write_bytes(raw)
    return paths


KINDS = ('zip', 'old', 'nested', 'by_getattr', 'tar', 'pickle')


def test_the_payload_would_run(tmp_path: Path, marker: Path) -> None:
    """The danger is real: without weights_only the marker appears."""
    paths = bad_files(tmp_path, marker)
    torch.load(paths['nested'], weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize('kind', KINDS)
def test_no_loader_runs_a_payload(
    tmp_path: Path, marker: Path, kind: str
) -> None:
    path = bad_files(tmp_path, marker)[kind]
    with pytest.raises(CheckpointError, match=f'{kind}.pth cannot be read'):
        load_weights(path)
    with pytest.raises(CheckpointError, match=f'{kind}.pth cannot be read'):
        load_2d_state_dict(str(path))
    # mmengine's own, as a runner and init_recognizer call it
    with pytest.raises(Exception):  # noqa: B017
        load_checkpoint(torch.nn.Linear(1, 1), str(path))
    assert not marker.exists()


def test_a_url_runs_no_payload(tmp_path: Path, marker: Path) -> None:
    """mmengine and torch.hub would switch weights_only off for them."""
    from mmengine.runner import checkpoint

    path = bad_files(tmp_path, marker)['zip']
    with pytest.raises(pickle.UnpicklingError):
        checkpoint.load_url(path.as_uri(), model_dir=str(tmp_path / 'hub'))
    assert not marker.exists()
    good = tmp_path / 'good.pth'
    torch.save({'w': torch.ones(2)}, good)
    loaded = checkpoint.load_url(
        good.as_uri(), model_dir=str(tmp_path / 'hub'), progress=False
    )
    assert loaded['w'].tolist() == [1, 1]


def run_tool(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    tool: str,
    *options: object,
) -> str:
    """What tools/train.py or test.py says before it ends with code 2."""
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, options)])
    with pytest.raises(SystemExit) as end:
        run_stock_tool(tool)
    said = capsys.readouterr().err.strip()
    assert end.value.code == 2
    assert said.startswith('error: ') and '\n' not in said
    return said


CONFIG = """\
custom_imports = dict(imports=['lgd_mmaction'], allow_failed_imports=False)
model = dict(
    type='Recognizer3D',
    backbone=dict(type='LGDResNet3d', depth=50,
                  pretrained=None),
    cls_head=dict(type='KernelizedHead', num_classes=4, in_channels=2048))
"""


@pytest.mark.parametrize('zipped', [True, False])
def test_a_long_name_is_refused_at_once(tmp_path: Path, zipped: bool) -> None:
    """torch's own message about it takes the square of its length."""
    import time

    path = tmp_path / 'a.pth'
    data = b'\x80\x02cbuiltins\n' + b'x' * 50_000 + b'\n.'
    if zipped:
        with_pickle(path, data)
    else:
        torch.save({}, path, _use_new_zipfile_serialization=False)
        head = path.read_bytes()
        path.write_bytes(head[: head.index(b'}q\x00.')] + data[2:])
    began = time.process_time()
    with pytest.raises(CheckpointError, match='asks for builtins xxx'):
        load_weights(path)
    assert time.process_time() - began < 2


@pytest.mark.parametrize('way', ['resume', 'load_from', 'pretrained', 'test'])
def test_tools_refuse_a_payload_in_one_sentence(
    tmp_path: Path,
    marker: Path,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    path = bad_files(tmp_path, marker)['nested']
    config = tmp_path / 'config.py'
    config.write_text(CONFIG)
    options = {
        'resume': ('train.py', config, '--resume', path),
        'load_from': (
            'train.py',
            config,
            '--cfg-options',
            f'load_from={path}',
        ),
        'pretrained': (
            *('train.py', config, '--cfg-options'),
            f'model.backbone.pretrained={path}',
        ),
        'test': ('test.py', config, path),
    }[way]
    monkeypatch.chdir(tmp_path)
    said = run_tool(monkeypatch, capsys, *options)
    assert 'nested.pth cannot be read: it asks for pathlib' in said
    assert 'take a file that mmengine' in said
    assert not marker.exists()


def test_a_yaml_config_is_data(
    tmp_path: Path,
    marker: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    path = tmp_path / 'config.yaml'
    path.write_text(
        f'model: !!python/object/apply:pathlib.Path.touch [{marker}]\n'
        f'x: !!python/object/apply:os.mkdir ["{marker}"]\n'
    )
    said = run_tool(monkeypatch, capsys, 'train.py', path)
    assert 'config.yaml:1: ConstructorError' in said
    assert not marker.exists()


# ---------------------------------------------------------------- bounds
def grown(function: Callable[[], object]) -> float:
    """MiB by which the process grew at most."""

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = peak()
    function()
    return (peak() - before) / 1024


def test_a_checkpoint_takes_no_more_memory_than_its_size(
    tmp_path: Path,
) -> None:
    bomb = with_pickle(tmp_path / 'a.pth', b'\0' * 2**25, compress=True)
    assert bomb.stat().st_size < 2**16

    def refused() -> None:
        with pytest.raises(CheckpointError, match='unpacks to 3355.* bytes'):
            load_weights(bomb)

    assert grown(refused) < 64
    memo = with_pickle(tmp_path / 'memo.pth', b'\x80\x02}r\xff\xff\xff\x7f.')
    assert grown(lambda: load_weights(memo)) < 64


def test_a_score_file_takes_no_more_memory_than_its_size(
    tmp_path: Path,
) -> None:
    from common import ToolError
    from scores import load_scores

    nested: list = [0.5]
    for _ in range(40):
        nested = [nested, nested]
    view = torch.ones(1).expand(10**9)
    entry = {'gt_label': 0, 'filename': 'a'}
    files = {
        'memo': b'\x80\x02]r\xff\xff\xff\x7f.',
        'nested': pickle.dumps([{**entry, 'pred_score': nested}]),
        'view': pickle.dumps([{**entry, 'pred_score': view}]),
    }
    for name, data in files.items():
        path = tmp_path / f'{name}.pkl'
        path.write_bytes(data)

        def refused(path: Path = path) -> None:
            with pytest.raises(ToolError, match=f'{path.name}'):
                load_scores(path)

        assert grown(refused) < 64, name


# ----------------------------------------------------------- score files
@pytest.mark.parametrize(
    'name', ['pointer from a buffer', 'object dtype', 'structured dtype']
)
def test_a_score_file_cannot_make_pointers(tmp_path: Path, name: str) -> None:
    from common import ToolError
    from scores import load_scores

    path = tmp_path / 'a.pkl'
    path.write_bytes(BY_HAND[name])
    with pytest.raises(ToolError, match='a.pkl'):
        load_scores(path)


@pytest.mark.parametrize('tool', ['fuse_streams', 'report_run'])
def test_score_tools_run_no_payload(
    tmp_path: Path, marker: Path, tool: str
) -> None:
    import fuse_streams
    import report_run
    from common import ToolError

    path = tmp_path / 'evil.pkl'
    entry = {
        'pred_score': Payload(Path.touch, marker),
        'gt_label': Payload(exec, f'open({str(marker)!r}, "w")'),
    }
    path.write_bytes(pickle.dumps([entry]))
    log = tmp_path / 'run' / '1' / 'vis_data'
    log.mkdir(parents=True)
    (log / 'scalars.json').write_text('{"loss": 1.0, "epoch": 1, "step": 1}')
    with pytest.raises(ToolError, match='evil.pkl names pathlib.*nothing'):
        if tool == 'fuse_streams':
            fuse_streams.main([f'rgb={path}'])
        else:
            report_run.main([str(tmp_path / 'run'), '--scores', str(path)])
    assert not marker.exists()


def test_arrays_of_a_checkpoint_come_back_as_they_were(
    tmp_path: Path,
) -> None:
    arrays = {
        'floats': np.arange(6, dtype='>f4').reshape(2, 3),
        'order': np.asfortranarray(np.eye(3, 2)),
        'text': np.array(['ab', 'c']),
        'empty': np.zeros((0, 4), np.int16),
        'flags': np.array([True, False]),
    }
    scalars = [np.float64(0.5), np.int64(-3), np.bool_(True), np.str_('')]
    path = tmp_path / 'a.pth'
    torch.save({'arrays': arrays, 'scalars': scalars}, path)
    # twice: what was loaded is saved again when training resumes
    for _ in range(2):
        loaded = load_weights(path)
        for name, array in arrays.items():
            stock = pickle.loads(pickle.dumps(array))  # native byte order
            assert loaded['arrays'][name].dtype == stock.dtype
            assert np.array_equal(loaded['arrays'][name], array)
        assert loaded['scalars'] == scalars
        assert [type(s) for s in loaded['scalars']] == [
            type(s) for s in scalars
        ]
        first = path.read_bytes()
        torch.save(loaded, path)
    assert b'lgd_mmaction' not in first + path.read_bytes()


# ------------------------------------------------- errors that say where
@pytest.mark.parametrize(
    'change, message',
    [
        (('depth=50,', 'depth=50,,'), r'config.py:4: syntax error'),
        (('depth=50', 'depth=depht'), r'config.py:4: NameError: .*depht'),
        (
            ('pretrained=', 'pretraned='),
            r'config.py:5: model.backbone: LGDResNet3d takes no argument '
            r"'pretraned'; did you mean 'pretrained'",
        ),
        (
            ('KernelizedHead', 'KernelisedHead'),
            r'config.py:6: model.cls_head: there is no component '
            r"'KernelisedHead'; did you mean 'KernelizedHead'",
        ),
        (
            ('num_classes=4', "num_classes='4'"),
            r'config.py:6: model.cls_head: num_classes of KernelizedHead is '
            r"'4', not of type int",
        ),
        (
            ('cls_head=dict(', 'cls_head=list('),
            r'config.py:6: TypeError: list\(\) takes no keyword arguments',
        ),
        (
            ('num_classes=4, in_channels=2048)', 'num_classes=4), neck=3'),
            r'config.py:6: model.neck is 3, not a dict\(type=...\)',
        ),
    ],
)
def test_config_errors_name_file_and_line(
    tmp_path: Path,
    change: tuple[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    import re

    (tmp_path / 'config.py').write_text(CONFIG.replace(*change))
    # seen through a config that inherits it, too
    (tmp_path / 'child.py').write_text("_base_ = 'config.py'\nseed = 1\n")
    for name in ('config.py', 'child.py'):
        said = run_tool(monkeypatch, capsys, 'train.py', tmp_path / name)
        assert re.search(message, said), said


def lines_of(folder: Path) -> dict[str, tuple[Callable, str]]:
    """Parsers of lists, each with a file whose third line is wrong."""
    import hmdb51
    import kinetics
    import run_log
    import ucf101
    import video_names
    from common import read_label_map, read_list

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
        'csv, a path for a class': (
            lambda: list(kinetics.read_csv(path)),
            f'{header}{row}../../up,x,1,2,train\n',
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
        'split file': (
            lambda: hmdb51.read_split_file(path, 'a', 0),
            'x.avi 1\ny.avi 2\nz.avi 3\n',
        ),
        'split file, the folder above': (
            lambda: hmdb51.read_split_file(path, 'a', 0),
            'x.avi 1\ny.avi 2\n../z.avi 1\n',
        ),
        'label map': (lambda: read_label_map(path), 'a\nb\na\n'),
        'list': (lambda: read_list(path), 'a 1\nb 2\nc x\n'),
        'list of an analysis': (
            lambda: video_names.read_list(path),
            'a 1\nb 2\nc \u00b2\n',
        ),
        'log of a run': (
            lambda: run_log._read_session(path),
            '{"step": 1}\n{"step": 2}\n{"step": "3"}\n',
        ),
    }


PARSERS = (
    *('csv, a time', 'csv, a field more', 'csv, a path for a class'),
    *('classes', 'classes, the folder above', 'train list', 'test list'),
    *('split file', 'split file, the folder above', 'label map', 'list'),
    *('list of an analysis', 'log of a run'),
)


@pytest.mark.parametrize('name', PARSERS)
def test_lists_name_file_and_line(tmp_path: Path, name: str) -> None:
    from common import ToolError

    read, content = lines_of(tmp_path)[name]
    (tmp_path / 'a.txt').write_text(content, encoding='utf-8')
    with pytest.raises(ToolError, match=r'a\.txt:3\b') as error:
        read()
    assert '\n' not in str(error.value)


def test_no_link_leads_out_of_the_output(tmp_path: Path) -> None:
    from clips import Placer
    from common import ToolError

    placer = Placer(tmp_path / 'out', link=True)
    for name in ('../up.avi', 'a/../../up.avi', '/etc/up.avi'):
        with pytest.raises(ToolError, match='leads out of'):
            placer.place(tmp_path / 'videos', name)
    assert not (tmp_path / 'out').exists()


def test_what_fuzzing_found(
    tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One case of each cause that tools/fuzz.py came upon."""
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    import json

    import parallel
    import run_log
    import summarise_splits
    from common import ToolError
    from experiment.steps import StepStore

    def refused(read: Callable, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        with pytest.raises(ToolError):
            read()

    store = StepStore(tmp_path, {})
    for marker in (
        {'step': 'rgb'},
        {'step': 'rgb', 'state': 'done', 'inputs': {}, 'runs': 1},
        {'step': 'rgb', 'state': 'started', 'inputs': [], 'runs': 1},
    ):
        data = json.dumps(marker).encode()
        refused(lambda: store.done('rgb', {}), tmp_path / 'rgb.json', data)
    deep = b'[' * 5000
    refused(lambda: store.read('rgb'), tmp_path / 'rgb.json', deep)
    fused = tmp_path / 'fused.json'
    report = {'tool': 'fuse_streams', 'streams': None, 'videos': 1}
    for data in (deep, json.dumps(report).encode(), b'{"a": ' + b'9' * 5000):
        refused(lambda: summarise_splits.read_report(fused), fused, data)
    log = tmp_path / 'run' / '1' / 'vis_data' / 'scalars.json'
    for row in (
        b'{"loss": 1, "step": 1' + b'0' * 400 + b', "epoch": 1}\n',
        b'{"loss": 1, "step": 1, "epoch": -1}\n',
        deep + b'\n{}\n',
    ):
        refused(lambda: run_log.read_course(tmp_path / 'run'), log, row)
    # a loss larger than any float is left out of a curve
    log.write_text('{"loss": 1%s, "epoch": 1, "step": 1}\n' % ('0' * 400))
    course = run_log.read_course(tmp_path / 'run')
    assert course.curve('train', 'loss') == ([], [])
    # a damaged line of a journal costs that item only
    journal = tmp_path / 'journal.jsonl'
    journal.write_bytes(
        b'\xff\n'
        b'{"key": "a", "status": "done", "result": 3}\n'
        b'{"key": 3, "status": "done", "result": {}}\n' + deep + b'\n'
        b'{"key": "b", "status": "done", "result": {"n": 1}}\n'
    )
    book = parallel.Journal(journal)
    book.close()
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

    from lgd_mmaction.errors import DataError
    from lgd_mmaction.tubes import load_tubes

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
    from lgd_mmaction.detections import BoxTable
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
