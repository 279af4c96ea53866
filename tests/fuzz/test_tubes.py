"""The converters of J-HMDB and UCF101-24."""

import io
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from lgd_mmaction.detection.annotations import Tube, TubeAnnotations, TubeVideo
from lgd_mmaction.errors import LGDError
from lgd_tools.synthetic import tube_formats as formats
from lgd_tools.tubes import jhmdb, ucf101_24
from tests.fuzz import strategies as make
from tests.fuzz.harness import SPLIT, convert, fuzzed, joined
from tests.fuzz.strategies import damaged

_ERRORS = (LGDError, OSError)  # as run_main turns into one sentence
_NAMES = ('clap/a', 'run/b')
_TEST_LIST = b'run/b\n'


def _truth(dataset: str) -> TubeAnnotations:
    """Two videos of two classes."""
    boxes = np.array([[1, 2, 11, 12], [2, 2, 12, 13]], np.float32)
    videos = {
        name: TubeVideo(name, 2, 320, 240, (Tube(label, 0, boxes),))
        for label, name in enumerate(_NAMES)
    }
    split = {'train': [_NAMES[0]], 'test': [_NAMES[1]]}
    return TubeAnnotations(dataset, ('clap', 'run'), {'1': split}, videos)


def _written(write: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / 'a')
        return (Path(folder) / 'a').read_bytes()


def _zipped(write: Callable[[Path], None]) -> bytes:
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        with zipfile.ZipFile(buffer, 'w') as archive:
            for path in sorted(Path(folder).rglob('*.*')):
                archive.write(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def _mask() -> bytes:
    masks = np.zeros((8, 6, 2), np.uint8)
    masks[2:5, 1:4] = 1
    return _written(lambda path: formats.write_puppet_mask(path, masks))


def _run(main, options: list[str], files: dict, folder: Path) -> None:
    convert(main, [*options, '--num-classes', '2'], files, folder)


def _plain_act() -> dict:
    return {
        'labels': ['clap', 'run'],
        'gttubes': {n: {0: [np.array([[1, 2, 3, 12, 13]])]} for n in _NAMES},
        'nframes': dict.fromkeys(_NAMES, 2),
        'train_videos': [['clap/a']],
        'test_videos': [['run/b']],
        'resolution': {n: [240, 320] for n in _NAMES},
    }


def _plain_pyannot() -> dict:
    tube = {'label': 0, 'sf': 0, 'ef': 1}
    tube['boxes'] = np.array([[2, 3, 10, 10]], np.uint8)
    return {
        'clap/a': {'annotations': [tube], 'numf': 2, 'label': 0},
        'run/b': {'annotations': [], 'numf': 2, 'label': 1},
    }


def _texts() -> st.SearchStrategy:
    codes = st.one_of(st.sampled_from('12'), make.words())
    split = make.lines(make.words(), codes)
    numbers = st.one_of(make.numbers(), make.words())
    return joined(split, split, make.lines(*[numbers] * 5))


_MASK = _mask()
_ACT_JHMDB = pickle.dumps(_plain_act(), 2)
_PYANNOT = _written(
    lambda path: formats.write_pyannot(_truth('ucf101_24'), path)
)
# opcodes: memo with a large index, reduce, build; names of numpy
_PICKLE_WORDS = (
    *(b'r\xff\xff\xff\x7f', b'R', b'b', b'\x81', b'0', b'(', b't', b'.'),
    *(b'cnumpy\nndarray\n', b'cbuiltins\neval\n', b'U\x02O8', b'gttubes'),
    *(b'nframes', b'annotations', b'boxes', b'T\xff\xff\xff\x7f'),
)


@fuzzed(
    damaged(
        SPLIT.join((b'a.avi 1\n', b'b.avi 2\n', b'1 2 3 12 13\n')),
        b'a.avi 1 \r\nc.avi 2\r\n',
        words=(b'.avi', b' 1', b' 2', b'1 2 3 4 5', b'clap/', b'-1 nan'),
    ),
    _texts(),
    errors=_ERRORS,
    weight=0.5,
)
def test_jhmdb_texts(data: bytes, folder: Path) -> None:
    """Split files, and box files, from a folder."""
    clap, run, box, *_ = *data.split(SPLIT), b'', b'', b''
    files = {
        'splits/clap_test_split1.txt': clap,
        'splits/run_test_split1.txt': run or b'b.avi 2\n',
        'boxes/clap_a_00001.txt': box or b'1 2 3 12 13\n',
        'boxes/run_b_00001.txt': b'2 2 3 12 13\n',
    }
    options = ['--annotations', 'IN/splits', '--boxes', 'IN/boxes']
    _run(jhmdb.main, options, files, folder)


@fuzzed(
    damaged(
        _zipped(partial(formats.write_jhmdb_splits, _truth('jhmdb'))),
        words=(b'PK\x01\x02', b'PK\x05\x06', b'../', b'.txt', b'_split1'),
    ),
    errors=_ERRORS,
    weight=0.3,
)
def test_jhmdb_zip(data: bytes, folder: Path) -> None:
    files = {
        'splits.zip': data,
        'boxes/clap_a_00001.txt': b'1 2 3 12 13\n',
        'boxes/run_b_00001.txt': b'2 2 3 12 13\n',
    }
    options = ['--annotations', 'IN/splits.zip', '--boxes', 'IN/boxes']
    _run(jhmdb.main, options, files, folder)


@pytest.mark.slow
@fuzzed(
    damaged(
        _MASK,
        words=(b'\x0f\0\0\0', b'\x0e\0\0\0', b'part_mask', b'\xff' * 4),
    ),
    errors=_ERRORS,
    weight=0.02,  # a new process each,
)
def test_jhmdb_masks(data: bytes, folder: Path) -> None:
    files = {
        'splits/clap_test_split1.txt': b'a.avi 1\n',
        'splits/run_test_split1.txt': b'b.avi 2\n',
        'masks/clap/a/puppet_mask.mat': data,
        'masks/run/b/puppet_mask.mat': _MASK,
    }
    options = ['--annotations', 'IN/splits', '--puppet-masks', 'IN/masks']
    _run(jhmdb.main, options, files, folder)


@fuzzed(
    damaged(_ACT_JHMDB, words=_PICKLE_WORDS),
    make.changed_pickle(_plain_act()),
    errors=_ERRORS,
    weight=0.4,
)
def test_jhmdb_act(data: bytes, folder: Path) -> None:
    _run(jhmdb.main, ['--act', 'IN/act.pkl'], {'act.pkl': data}, folder)


@fuzzed(
    damaged(*(_PYANNOT, _PYANNOT + SPLIT + b'run/b 2\n'), words=_PICKLE_WORDS),
    make.changed_pickle(_plain_pyannot()),
    errors=_ERRORS,
    weight=0.5,
)
def test_ucf101_24_pyannot(data: bytes, folder: Path) -> None:
    parts = data.split(SPLIT)
    files = {
        'pyannot.pkl': parts[0],
        'test.txt': parts[1] if len(parts) > 1 else _TEST_LIST,
    }
    options = ['--pyannot', 'IN/pyannot.pkl', '--test-list', 'IN/test.txt']
    _run(ucf101_24.main, options, files, folder)
