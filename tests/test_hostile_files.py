"""Files from elsewhere: nothing in them runs, and errors say where."""

import io
import pickle
import resource
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import load_checkpoint

from lgd_mmaction.errors import CheckpointError, LGDError
from lgd_mmaction.models.inflate import load_2d_state_dict
from lgd_mmaction.pickles import load_weights


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
    refused: Callable,
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
    said = refused(*options)
    assert 'nested.pth cannot be read: it asks for pathlib' in said
    assert 'take a file that mmengine' in said
    assert not marker.exists()


def test_a_yaml_config_is_data(
    tmp_path: Path,
    marker: Path,
    refused: Callable,
) -> None:
    path = tmp_path / 'config.yaml'
    path.write_text(
        f'model: !!python/object/apply:pathlib.Path.touch [{marker}]\n'
        f'x: !!python/object/apply:os.mkdir ["{marker}"]\n'
    )
    said = refused('train.py', path)
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
    # a list of ten times one list, of ten times one list ...
    lists = b'](' + b'K\x01' * 10 + b'eq\x00'
    for depth in range(6):
        lists += (
            b'](' + (b'h' + bytes([depth])) * 10 + b'eq' + bytes([depth + 1])
        )
    buffer = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'
    size = struct.pack('<i', 2**28)
    for name, made in (
        ('HistoryBuffer', lists + buffer + b'h\x06h\x06\x86R.'),
        ('bytearray', b'cbuiltins\nbytearray\nJ' + size + b'\x85R.'),
    ):
        path = with_pickle(tmp_path / 'made.pth', b'\x80\x02' + made)

        def refused_too(path: Path = path, name: str = name) -> None:
            with pytest.raises(CheckpointError, match=name) as error:
                load_weights(path)
            assert 'trust' in str(error.value) or 'may run' in str(error.value)

        assert grown(refused_too) < 64


def test_a_score_file_takes_no_more_memory_than_its_size(
    tmp_path: Path,
) -> None:
    from lgd_tools.results.scores import load_scores

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
            with pytest.raises(LGDError, match=f'{path.name}'):
                load_scores(path)

        assert grown(refused) < 64, name


# ----------------------------------------------------------- score files
@pytest.mark.parametrize(
    'name', ['pointer from a buffer', 'object dtype', 'structured dtype']
)
def test_a_score_file_cannot_make_pointers(tmp_path: Path, name: str) -> None:
    from lgd_tools.results.scores import load_scores

    path = tmp_path / 'a.pkl'
    path.write_bytes(BY_HAND[name])
    with pytest.raises(LGDError, match='a.pkl'):
        load_scores(path)


@pytest.mark.parametrize('tool', ['fuse_streams', 'report_run'])
def test_score_tools_run_no_payload(
    tmp_path: Path, marker: Path, tool: str
) -> None:
    from lgd_tools.results import fuse_streams, report_run

    path = tmp_path / 'evil.pkl'
    entry = {
        'pred_score': Payload(Path.touch, marker),
        'gt_label': Payload(exec, f'open({str(marker)!r}, "w")'),
    }
    path.write_bytes(pickle.dumps([entry]))
    log = tmp_path / 'run' / '1' / 'vis_data'
    log.mkdir(parents=True)
    (log / 'scalars.json').write_text('{"loss": 1.0, "epoch": 1, "step": 1}')
    with pytest.raises(LGDError, match='evil.pkl names pathlib.*nothing'):
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
